run "what_nobody_said_is_left_to_the_chart" {
  command = plan
  variables {
    redis = { bundled = true }
  }
  assert {
    condition     = output.values.gateway == { enabled = true, storage = {}, autoscaling = {} }
    error_message = "only what is said is a value"
  }
}

run "redis_must_be_somewhere" {
  command         = plan
  expect_failures = [var.network_policy]
}

run "a_mesh_without_a_control_plane_must_say_where_it_is" {
  command = plan
  variables {
    control        = { enabled = false, url = "http://control" }
    network_policy = { enabled = false }
  }
  expect_failures = [var.control]
}

run "a_mesh_without_a_door_must_say_where_agents_go" {
  command = plan
  variables {
    gateway = { enabled = false }
    redis   = { bundled = true }
  }
  expect_failures = [var.gateway]
}

run "no_password_gets_into_the_settings_by_an_url" {
  command = plan
  variables {
    redis   = { bundled = true }
    control = { settings = { database = "postgresql://aegis:pa/ss@db/aegis" } }
  }
  expect_failures = [var.control]
}

run "no_password_gets_into_the_settings_by_itself" {
  command = plan
  variables {
    redis   = { bundled = true }
    control = { settings = { redis = { cluster = { nodes = ["r-0:6379"], password = "secret" } } } }
  }
  expect_failures = [var.control]
}

run "where_a_password_is_may_be_said" {
  command = plan
  variables {
    redis   = { bundled = true }
    control = { settings = { redis = { cluster = { nodes = ["r-0:6379"], password = { file = "/run/secrets/control/r" } } } } }
  }
  assert {
    condition     = output.values.control.settings.redis.cluster.password.file == "/run/secrets/control/r"
    error_message = "the file is passed on"
  }
}

run "sidecars_exchange_tokens_by_tls_alone" {
  command = plan
  variables {
    redis = { bundled = true }
    sidecar = {
      enabled        = true
      token_endpoint = "http://control/v1/token"
      records        = { loss = "accept" }
      namespaces     = [{ name = "shop", agents = [{ name = "a", agent = "acme/emea/a" }] }]
    }
  }
  expect_failures = [var.sidecar]
}

run "sidecars_lose_no_records_unasked" {
  command = plan
  variables {
    redis = { bundled = true }
    sidecar = {
      enabled        = true
      token_endpoint = "https://control/v1/token"
      namespaces     = [{ name = "shop", agents = [{ name = "a", agent = "acme/emea/a" }] }]
    }
  }
  expect_failures = [var.sidecar]
}

run "an_agent_has_an_organization_and_a_tenant" {
  command = plan
  variables {
    redis   = { bundled = true }
    sidecar = { namespaces = [{ name = "shop", agents = [{ name = "a", agent = "finance" }] }] }
  }
  expect_failures = [var.sidecar]
}

run "fewest_are_not_more_than_most" {
  command = plan
  variables {
    redis   = { bundled = true }
    gateway = { autoscaling = { enabled = true, min_replicas = 5, max_replicas = 4 } }
  }
  expect_failures = [var.gateway]
}

run "an_image_that_nobody_runs_is_refused" {
  command = plan
  variables {
    redis  = { bundled = true }
    images = { aegiss = { repository = "registry.example/aegis" } }
  }
  expect_failures = [var.images]
}

run "the_name_of_a_secret_is_not_what_it_holds" {
  command = plan
  variables {
    redis   = { bundled = true }
    secrets = { control = "-----BEGIN PRIVATE KEY-----" }
  }
  expect_failures = [var.secrets]
}

run "an_interval_has_a_unit" {
  command = plan
  variables {
    redis      = { bundled = true }
    monitoring = { enabled = true, interval = "15" }
  }
  expect_failures = [var.monitoring]
}

run "sidecars_of_a_control_plane_elsewhere_need_no_address_here" {
  command = plan
  variables {
    control        = { enabled = false, url = "http://control.mesh.svc:7400" }
    gateway        = { enabled = false }
    network_policy = { enabled = false }
    sidecar = {
      enabled        = true
      token_endpoint = "https://control/v1/token"
      records        = { loss = "accept" }
      namespaces     = [{ name = "shop", agents = [{ name = "a", agent = "acme/emea/a" }] }]
    }
  }
  assert {
    condition     = !can(output.values.control.publicUrl)
    error_message = "nobody is told an address"
  }
}
