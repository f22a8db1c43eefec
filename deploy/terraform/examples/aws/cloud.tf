# MemoryDB, since it loses nothing that it has answered; ElastiCache may, and with it used tokens and limits.

resource "aws_security_group" "stores" {
  name_prefix = "${var.name}-stores-"
  description = "Redis and PostgreSQL of the mesh, for its pods"
  vpc_id      = var.vpc

  dynamic "ingress" {
    for_each = [6379, 5432]
    content {
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = var.pods
    }
  }
}

resource "aws_memorydb_subnet_group" "mesh" {
  name       = var.name
  subnet_ids = var.subnets
}

resource "aws_memorydb_cluster" "mesh" {
  name                     = var.name
  engine                   = "redis"
  engine_version           = "7.1"
  node_type                = "db.r7g.large"
  num_shards               = 1
  num_replicas_per_shard   = 1
  acl_name                 = var.redis_acl
  tls_enabled              = true
  subnet_group_name        = aws_memorydb_subnet_group.mesh.name
  security_group_ids       = [aws_security_group.stores.id]
  snapshot_retention_limit = 7
}

resource "aws_db_subnet_group" "control" {
  name       = var.name
  subnet_ids = var.subnets
}

resource "aws_db_instance" "control" {
  identifier                  = var.name
  engine                      = "postgres"
  engine_version              = "17"
  instance_class              = "db.t4g.medium"
  allocated_storage           = 20
  storage_encrypted           = true
  multi_az                    = true
  db_name                     = "aegis"
  username                    = "operator"
  manage_master_user_password = true # in Secrets Manager, and not in the state
  db_subnet_group_name        = aws_db_subnet_group.control.name
  vpc_security_group_ids      = [aws_security_group.stores.id]
  publicly_accessible         = false
  backup_retention_period     = 14
  deletion_protection         = true
  final_snapshot_identifier   = "${var.name}-last"
}
