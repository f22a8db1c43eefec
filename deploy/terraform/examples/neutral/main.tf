# Any cluster, and a Redis and a PostgreSQL that exist. What is left out is left out of the mesh: without redis say
# values.redis.bundled, for trials; without postgresql the control plane has SQLite on its volume.

variable "kubeconfig" {
  description = "The file that leads to the cluster."
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "Which of its contexts."
  type        = string
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

variable "redis" {
  description = "As modules/redis takes it."
  type        = any
  default     = null
}

variable "postgresql" {
  description = "As modules/postgresql takes it."
  type        = any
  default     = null
}

variable "secret_store" {
  description = "As modules/aegis takes it."
  type        = any
  default     = null
}

module "aegis" {
  source       = "../../modules/aegis"
  install      = var.install
  values       = var.values
  redis        = var.redis
  postgresql   = var.postgresql
  secret_store = var.secret_store
}

output "redis_url" {
  description = "For `aegis init --redis`."
  value       = module.aegis.redis_url
}

output "postgresql_url" {
  description = "For database.url, with a password of its own."
  value       = module.aegis.postgresql_url
}
