# The wiring; nothing here needs a provider. What speaks to a cluster is in release.tf.

locals {
  control  = try(var.values.control, {})
  network  = try(var.values.network_policy, {})
  bundled  = try(var.values.redis.bundled, false)
  agents   = try(toset(coalesce(local.network.agents, [])), toset([]))
  sidecars = try(var.values.sidecar.enabled, false) ? toset([for space in var.values.sidecar.namespaces : space.name]) : toset([])
}

module "namespaces" {
  source   = "../namespaces"
  mesh     = var.namespace
  agents   = local.agents
  sidecars = local.sidecars
  existing = var.existing_namespaces
}

module "redis" {
  source      = "../redis"
  count       = var.redis == null ? 0 : 1
  kind        = var.redis.kind
  nodes       = var.redis.nodes
  service     = var.redis.service
  tls         = var.redis.tls
  authorities = var.redis.authorities
  networks    = var.redis.networks
}

module "postgresql" {
  source      = "../postgresql"
  count       = var.postgresql == null ? 0 : 1
  host        = var.postgresql.host
  port        = var.postgresql.port
  database    = var.postgresql.database
  user        = var.postgresql.user
  verify      = var.postgresql.verify
  authorities = var.postgresql.authorities
  networks    = var.postgresql.networks
}

module "secrets" {
  source        = "../secrets"
  count         = var.secret_store == null ? 0 : 1
  store         = { name = var.secret_store.name, kind = var.secret_store.kind }
  prefix        = var.secret_store.prefix
  refresh       = var.secret_store.refresh
  names         = try(var.values.secrets, {})
  mesh          = var.namespace
  sidecars      = local.sidecars
  bundled_redis = local.bundled
}

module "values" {
  source             = "../values"
  images             = try(var.values.images, {})
  image_pull_secrets = try(var.values.image_pull_secrets, [])
  secrets            = try(var.values.secrets, {})
  environment        = try(var.values.environment, null)
  region             = try(var.values.region, null)
  gateway            = try(var.values.gateway, {})
  sidecar            = try(var.values.sidecar, {})
  redis              = try(var.values.redis, {})
  monitoring         = try(var.values.monitoring, null)

  control = merge(local.control, length(module.postgresql) == 0 ? {} : {
    settings = merge(try(local.control.settings, {}), module.postgresql[0].settings)
  })
  network_policy = merge(
    local.network,
    length(module.redis) == 0 ? {} : { redis = concat(try(local.network.redis, []), module.redis[0].peers) },
    length(module.postgresql) == 0 ? {} : {
      control_egress = concat(try(local.network.control_egress, []), module.postgresql[0].egress)
    },
  )
}

locals {
  surroundings = concat(module.namespaces.manifests, flatten(module.secrets[*].manifests))
}

output "values" {
  description = "The chart's values, as YAML."
  value       = module.values.yaml
}

output "surroundings" {
  description = "The values of the chart surroundings: what is made before the mesh."
  value       = yamlencode({ manifests = local.surroundings })
}

output "labels" {
  description = "The labels of each namespace, for those who make the existing ones."
  value       = module.namespaces.labels
}

output "redis_url" {
  description = "For `aegis init --redis`; null where no redis was named."
  value       = one(module.redis[*].url)
}

output "postgresql_url" {
  description = "For database.url, with a password of its own; null where no postgresql was named."
  value       = one(module.postgresql[*].url)
}
