# In the words of the chart (values.schema.json says what each means); what is left out is as the chart has it.

variable "images" {
  description = "Where images are: of ours aegis, envoy and init, and opa and redis."
  type = map(object({
    repository  = string
    tag         = optional(string)
    pull_policy = optional(string)
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.images), ["aegis", "envoy", "init", "opa", "redis"])) == 0
    error_message = "images: the images are aegis, envoy, init, opa and redis."
  }
  validation {
    condition = alltrue([
      for image in var.images : contains(["Always", "IfNotPresent", "Never"], coalesce(image.pull_policy, "Always"))
    ])
    error_message = "images: pull_policy is Always, IfNotPresent or Never."
  }
}

variable "image_pull_secrets" {
  description = "Names of Secrets by which images are pulled."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "secrets" {
  description = "Names of the Secrets made from the folders of `aegis init`, where they are not aegis-FOLDER."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.secrets), ["control", "authz", "opa", "certificates", "public", "redis"])) == 0
    error_message = "secrets: the folders are control, authz, opa, certificates, public and redis."
  }
  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", name))])
    error_message = "secrets: each is the name of a Secret, not what it holds."
  }
}

variable "environment" {
  description = "What policies see as the environment."
  type        = string
  default     = null

  validation {
    condition     = var.environment == null || var.environment != ""
    error_message = "environment: say which, or leave it out."
  }
}

variable "region" {
  description = "The region of the release, whose tenants it serves (docs/regions.md)."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || can(regex("^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$", coalesce(var.region, "x")))
    error_message = "region: a lower-case name of at most 32 letters, digits and hyphens, or leave it out."
  }
}

variable "control" {
  description = "The control plane: run here, or reached at url. settings are more of control.yaml (docs/deployment.md)."
  type = object({
    enabled    = optional(bool, true)
    replicas   = optional(number)
    tls        = optional(object({ secret = string }))
    url        = optional(string)
    public_url = optional(string)
    documents  = optional(object({ policies = optional(map(string)), tools = optional(map(string)) }))
    storage    = optional(object({ size = optional(string), class_name = optional(string) }))
    settings   = optional(any)
    resources  = optional(any)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.control.enabled || can(regex("^https?://[^/ :]+:[0-9]+$", var.control.url))
    error_message = "control.url: say where the control plane is, as http://host:port, when it is not enabled here."
  }
  validation {
    condition     = var.control.replicas == null ? true : var.control.replicas >= 1 && var.control.replicas <= 16 && floor(var.control.replicas) == var.control.replicas
    error_message = "control.replicas: 1 to 16."
  }
  validation {
    condition     = coalesce(var.control.replicas, 1) == 1 || can(var.control.settings.database)
    error_message = "control.replicas: several control planes are one PostgreSQL: say it in settings.database."
  }
  validation {
    condition     = var.control.public_url == null || can(regex("^https?://[^ ]+$", var.control.public_url))
    error_message = "control.public_url: http(s)://host."
  }
  validation {
    # The settings are a ConfigMap, and everything here is in Terraform's state.
    condition     = !can(regex("://[^\"]*:[^\"]*@|\"password\":\"", jsonencode(var.control.settings)))
    error_message = "control.settings: no password here, in an URL or by itself; say {file = \"/run/secrets/control/NAME\"} instead."
  }
  validation {
    condition     = can(regex("^[0-9]+(Mi|Gi|Ti)$", coalesce(try(var.control.storage.size, null), "1Gi")))
    error_message = "control.storage.size: a quantity, such as 10Gi."
  }
}

variable "gateway" {
  description = "Gateways that agents share."
  type = object({
    enabled    = optional(bool, true)
    replicas   = optional(number)
    workers    = optional(number)
    https      = optional(bool)
    tls        = optional(object({ secret = string, client_ca = optional(bool) }))
    identity   = optional(any)
    evaluation = optional(object({ secret = string, url = optional(string) }))
    drain_ms   = optional(number)
    storage    = optional(object({ size = optional(string), class_name = optional(string) }))
    autoscaling = optional(object({
      enabled      = bool
      min_replicas = optional(number)
      max_replicas = optional(number)
      cpu          = optional(number)
      metric       = optional(object({ name = string, value = string }))
    }))
    service   = optional(object({ type = optional(string), annotations = optional(map(string)) }))
    tools     = optional(any)
    resources = optional(any)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for count in [var.gateway.replicas, try(var.gateway.autoscaling.min_replicas, null), try(var.gateway.autoscaling.max_replicas, null)] :
      count == null ? true : count >= 1 && count <= 1000 && floor(count) == count
    ])
    error_message = "gateway: replicas are 1 to 1000."
  }
  validation {
    condition     = coalesce(try(var.gateway.autoscaling.min_replicas, null), 2) <= coalesce(try(var.gateway.autoscaling.max_replicas, null), 1000)
    error_message = "gateway.autoscaling: min_replicas is more than max_replicas."
  }
  validation {
    condition     = var.gateway.workers == null ? true : var.gateway.workers >= 1 && var.gateway.workers <= 64 && floor(var.gateway.workers) == var.gateway.workers
    error_message = "gateway.workers: 1 to 64, one core each."
  }
  validation {
    condition     = var.gateway.drain_ms == null ? true : var.gateway.drain_ms >= 0 && var.gateway.drain_ms <= 60000
    error_message = "gateway.drain_ms: 0 to 60000 milliseconds."
  }
  validation {
    condition     = contains(["ClusterIP", "NodePort", "LoadBalancer"], coalesce(try(var.gateway.service.type, null), "ClusterIP"))
    error_message = "gateway.service.type: ClusterIP, NodePort or LoadBalancer."
  }
  validation {
    condition     = can(regex("^[0-9]+(Mi|Gi|Ti)$", coalesce(try(var.gateway.storage.size, null), "1Gi")))
    error_message = "gateway.storage.size: a quantity, such as 10Gi."
  }
  validation {
    condition     = var.gateway.enabled || !var.control.enabled || var.control.public_url != null
    error_message = "control.public_url: say where agents and approvers reach the control plane, when no gateway of this release has a door."
  }
}

variable "sidecar" {
  description = "A gateway of its own for each pod of some namespaces."
  type = object({
    enabled        = optional(bool, false)
    token_endpoint = optional(string)
    audience       = optional(string)
    workers        = optional(number)
    https          = optional(bool)
    drain_ms       = optional(number)
    records        = optional(object({ claim = optional(string), loss = optional(string) }))
    webhook = optional(object({
      secret       = string
      ca_bundle    = optional(string)
      cert_manager = optional(string)
      replicas     = optional(number)
    }))
    namespaces = optional(list(object({
      name   = string
      agents = list(object({ name = string, agent = string }))
    })))
    tools     = optional(any)
    resources = optional(any)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.sidecar.enabled || try(var.control.tls.secret, null) != null || can(regex("^https://[^ ]+$", var.sidecar.token_endpoint))
    error_message = "sidecar.token_endpoint: the https:// address of the control plane's /v1/token, unless it speaks TLS itself (control.tls); what is exchanged there stands for an agent."
  }
  validation {
    condition     = !var.sidecar.enabled || try(length(var.sidecar.namespaces) > 0, false)
    error_message = "sidecar.namespaces: say which, and which agents run there."
  }
  validation {
    condition = !var.sidecar.enabled || (
      try(var.sidecar.records.loss, null) == "accept" || coalesce(try(var.sidecar.records.claim, null), "-") != "-"
    )
    error_message = "sidecar.records: name a ReadWriteMany claim, or accept that records end with their pod (loss = \"accept\")."
  }
  validation {
    condition = alltrue(flatten([
      for space in coalesce(var.sidecar.namespaces, []) : [
        for agent in space.agents : can(regex("^[^/ ]+/[^/ ]+/[^/ ]+$", agent.agent))
      ]
    ]))
    error_message = "sidecar.namespaces: an agent is org/tenant/agent."
  }
  validation {
    condition     = var.sidecar.webhook == null ? true : var.sidecar.webhook.ca_bundle != null || var.sidecar.webhook.cert_manager != null
    error_message = "sidecar.webhook: what the API server verifies it by, ca_bundle (PEM) or cert_manager (NAMESPACE/NAME of its Certificate)."
  }
  validation {
    condition     = var.sidecar.workers == null ? true : var.sidecar.workers >= 1 && var.sidecar.workers <= 64 && floor(var.sidecar.workers) == var.sidecar.workers
    error_message = "sidecar.workers: 1 to 64, one core each."
  }
}

variable "redis" {
  description = "One small Redis for trials; a mesh that matters brings its own."
  type = object({
    bundled   = optional(bool, false)
    storage   = optional(object({ size = optional(string), class_name = optional(string) }))
    resources = optional(any)
  })
  default  = {}
  nullable = false
}

variable "network_policy" {
  description = "Who reaches what. Peers and rules are those of a NetworkPolicy; modules redis and postgresql make theirs."
  type = object({
    enabled        = optional(bool, true)
    agents         = optional(list(string))
    tools          = optional(any)
    redis          = optional(any)
    operators      = optional(any)
    metrics        = optional(any)
    api_server     = optional(any)
    control_egress = optional(any)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      !var.network_policy.enabled || var.redis.bundled || !(var.control.enabled || var.gateway.enabled) ||
      try(length(var.network_policy.redis) > 0, false)
    )
    error_message = "network_policy.redis: say where Redis is (peers of a NetworkPolicy), or redis.bundled = true."
  }
  validation {
    condition     = alltrue([for name in coalesce(var.network_policy.agents, []) : can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", name))])
    error_message = "network_policy.agents: names of namespaces."
  }
}

variable "monitoring" {
  description = "ServiceMonitors, where the cluster has Prometheus' operator: of the control plane with the Secret of an auditor's API key. Dashboards as a ConfigMap."
  type = object({
    enabled    = optional(bool)
    labels     = optional(map(string))
    interval   = optional(string)
    control    = optional(object({ secret = string, key = optional(string) }))
    dashboards = optional(object({ enabled = bool, labels = optional(map(string)) }))
  })
  default = null

  validation {
    condition     = can(regex("^[0-9]+(s|m)$", coalesce(try(var.monitoring.interval, null), "15s")))
    error_message = "monitoring.interval: seconds or minutes, as 15s."
  }
}
