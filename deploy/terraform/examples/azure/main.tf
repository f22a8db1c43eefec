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

variable "resource_group" {
  description = "Where the stores belong."
  type        = string
}

variable "location" {
  description = "Where they are: that of the cluster."
  type        = string
}

variable "subnet" {
  description = "A subnet for the private endpoint of Redis, by its id."
  type        = string
}

variable "database_subnet" {
  description = "A subnet delegated to Microsoft.DBforPostgreSQL/flexibleServers, by its id."
  type        = string
}

variable "database_zone" {
  description = "The private DNS zone of the database, by its id."
  type        = string
}

variable "networks" {
  description = "CIDR blocks of these subnets."
  type        = set(string)
}

variable "operator_password" {
  description = "Of the database's administrator. It gets into no plan and no state."
  type        = string
  sensitive   = true
  ephemeral   = true
}

module "aegis" {
  source  = "../../modules/aegis"
  install = var.install
  values  = var.values

  redis = {
    nodes    = ["${azurerm_managed_redis.mesh.hostname}:${one(azurerm_managed_redis.mesh.default_database).port}"]
    networks = var.networks
  }
  postgresql = {
    host     = azurerm_postgresql_flexible_server.control.fqdn
    networks = var.networks
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
