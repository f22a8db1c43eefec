variable "kubeconfig" {
  description = "The file that leads to the cluster."
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "Which of its contexts."
  type        = string
}

variable "name" {
  description = "What the stores of the mesh are called."
  type        = string
  default     = "aegis"
}

variable "install" {
  description = "Whether the chart is installed already; its Secrets come first."
  type        = bool
  default     = true
}

variable "values" {
  description = "As modules/values takes them."
  type        = any
}

variable "secret_store" {
  description = "A ClusterSecretStore of the External Secrets Operator that leads to the cloud's own store."
  type        = string
}

variable "vpc" {
  description = "The cluster's VPC."
  type        = string
}

variable "subnets" {
  description = "Private subnets of it, in several zones."
  type        = list(string)
}

variable "networks" {
  description = "CIDR blocks of these subnets."
  type        = set(string)
}

variable "pods" {
  description = "CIDR blocks that pods call from."
  type        = list(string)
}

variable "redis_acl" {
  description = "An access control list of MemoryDB with a user aegis, made outside: its password would be in the state."
  type        = string

  validation {
    condition     = var.redis_acl != "open-access"
    error_message = "redis_acl: open-access asks nobody for a password."
  }
}

module "aegis" {
  source  = "../../modules/aegis"
  install = var.install
  values  = var.values

  redis = {
    kind     = "cluster"
    nodes    = [for place in aws_memorydb_cluster.mesh.cluster_endpoint : "${place.address}:${place.port}"]
    networks = var.networks
  }
  postgresql = {
    host        = aws_db_instance.control.address
    port        = aws_db_instance.control.port
    authorities = "/run/secrets/control/postgresql-ca.pem"
    networks    = var.networks
  }
  secret_store = { name = var.secret_store }
}

output "redis_url" {
  description = "For `aegis init --redis`."
  value       = module.aegis.redis_url
}

output "postgresql_url" {
  description = "For database.url, with a password of its own."
  value       = module.aegis.postgresql_url
}
