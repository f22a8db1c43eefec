locals {
  # What stands within a part, as the chart spells its words; null is what nobody said, and is left to the chart.
  sections = {
    for section, words in {
      documents       = var.control.documents
      control_storage = try({ size = var.control.storage.size, className = var.control.storage.class_name }, {})
      gateway_storage = try({ size = var.gateway.storage.size, className = var.gateway.storage.class_name }, {})
      redis_storage   = try({ size = var.redis.storage.size, className = var.redis.storage.class_name }, {})
      autoscaling = try({
        enabled     = var.gateway.autoscaling.enabled
        minReplicas = var.gateway.autoscaling.min_replicas
        maxReplicas = var.gateway.autoscaling.max_replicas
        cpu         = var.gateway.autoscaling.cpu
        metric      = var.gateway.autoscaling.metric
      }, {})
      service = var.gateway.service
      records = var.sidecar.records
      webhook = var.sidecar.webhook == null ? null : {
        secret      = var.sidecar.webhook.secret
        caBundle    = var.sidecar.webhook.ca_bundle
        certManager = var.sidecar.webhook.cert_manager
        replicas    = var.sidecar.webhook.replicas
      }
      gateway_tls = var.gateway.tls == null ? null : { secret = var.gateway.tls.secret, clientCa = var.gateway.tls.client_ca }
      evaluation  = var.gateway.evaluation
      monitoring = var.monitoring == null ? null : {
        enabled  = var.monitoring.enabled
        labels   = var.monitoring.labels
        interval = var.monitoring.interval
        control  = var.monitoring.control == null ? null : { for word, value in var.monitoring.control : word => value if value != null }
      }
      dashboards = try(var.monitoring.dashboards, null)
    } : section => words == null ? null : { for word, value in words : word => value if value != null }
  }

  # Each part with its words, in the same way.
  parts = {
    control = {
      enabled   = var.control.enabled
      replicas  = var.control.replicas
      tls       = var.control.tls
      url       = var.control.url
      publicUrl = var.control.public_url
      documents = local.sections.documents
      storage   = local.sections.control_storage
      settings  = var.control.settings
      resources = var.control.resources
    }
    gateway = {
      enabled     = var.gateway.enabled
      replicas    = var.gateway.replicas
      workers     = var.gateway.workers
      https       = var.gateway.https
      tls         = local.sections.gateway_tls
      identity    = var.gateway.identity
      evaluation  = local.sections.evaluation
      drainMs     = var.gateway.drain_ms
      storage     = local.sections.gateway_storage
      autoscaling = local.sections.autoscaling
      service     = local.sections.service
      tools       = var.gateway.tools
      resources   = var.gateway.resources
    }
    sidecar = {
      enabled       = var.sidecar.enabled
      tokenEndpoint = var.sidecar.token_endpoint
      audience      = var.sidecar.audience
      workers       = var.sidecar.workers
      https         = var.sidecar.https
      drainMs       = var.sidecar.drain_ms
      records       = local.sections.records
      webhook       = local.sections.webhook
      namespaces    = var.sidecar.namespaces
      tools         = var.sidecar.tools
      resources     = var.sidecar.resources
    }
    redis = {
      bundled   = var.redis.bundled
      storage   = local.sections.redis_storage
      resources = var.redis.resources
    }
    networkPolicy = {
      enabled       = var.network_policy.enabled
      agents        = var.network_policy.agents
      tools         = var.network_policy.tools
      redis         = var.network_policy.redis
      operators     = var.network_policy.operators
      metrics       = var.network_policy.metrics
      apiServer     = var.network_policy.api_server
      controlEgress = var.network_policy.control_egress
    }
    monitoring = {
      serviceMonitor = local.sections.monitoring
      dashboards     = local.sections.dashboards
    }
  }

  images = {
    for image, place in var.images : image => {
      for word, value in { repository = place.repository, tag = place.tag, pullPolicy = place.pull_policy } : word => value if value != null
    }
  }

  values = merge(
    { for part, words in local.parts : part => { for word, value in words : word => value if value != null } },
    {
      images           = local.images
      imagePullSecrets = [for name in var.image_pull_secrets : { name = name }]
      secrets          = var.secrets
    },
    var.environment == null ? {} : { environment = var.environment },
    var.region == null ? {} : { region = var.region },
  )
}
