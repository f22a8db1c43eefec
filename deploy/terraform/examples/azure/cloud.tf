# Managed Redis computes its access key: the state holds it, so encrypt that.

resource "azurerm_managed_redis" "mesh" {
  name                  = var.name
  resource_group_name   = var.resource_group
  location              = var.location
  sku_name              = "Balanced_B5"
  public_network_access = "Disabled"

  default_database {
    access_keys_authentication_enabled            = true
    client_protocol                               = "Encrypted"
    clustering_policy                             = "NoCluster"
    eviction_policy                               = "NoEviction"
    persistence_append_only_file_backup_frequency = "1s"
  }
}

resource "azurerm_private_endpoint" "redis" {
  name                = "${var.name}-redis"
  resource_group_name = var.resource_group
  location            = var.location
  subnet_id           = var.subnet

  private_service_connection {
    name                           = "${var.name}-redis"
    private_connection_resource_id = azurerm_managed_redis.mesh.id
    subresource_names              = ["redisEnterprise"]
    is_manual_connection           = false
  }
}

resource "azurerm_postgresql_flexible_server" "control" {
  name                              = var.name
  resource_group_name               = var.resource_group
  location                          = var.location
  version                           = "16"
  sku_name                          = "GP_Standard_D2s_v3"
  storage_mb                        = 32768
  backup_retention_days             = 14
  delegated_subnet_id               = var.database_subnet
  private_dns_zone_id               = var.database_zone
  public_network_access_enabled     = false
  administrator_login               = "operator"
  administrator_password_wo         = var.operator_password
  administrator_password_wo_version = 1

  high_availability {
    mode = "ZoneRedundant"
  }

  lifecycle {
    ignore_changes = [zone, high_availability[0].standby_availability_zone]
  }
}

resource "azurerm_postgresql_flexible_server_database" "control" {
  name      = "aegis"
  server_id = azurerm_postgresql_flexible_server.control.id
}
