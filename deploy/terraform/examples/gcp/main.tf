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

variable "region" {
  description = "Where the stores are: that of the cluster."
  type        = string
}

variable "network" {
  description = "The cluster's network, with private services access."
  type        = string
}

variable "networks" {
  description = "CIDR blocks of private services access."
  type        = set(string)
}

module "aegis" {
  source  = "../../modules/aegis"
  install = var.install
  values  = var.values

  redis = {
    nodes       = ["${google_redis_instance.mesh.host}:${google_redis_instance.mesh.port}"]
    authorities = "/run/secrets/authz/redis-ca.pem"
    networks    = var.networks
  }
  postgresql = {
    host        = google_sql_database_instance.control.private_ip_address
    verify      = "verify-ca" # the authority is the instance's own, and its certificate names no address
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
