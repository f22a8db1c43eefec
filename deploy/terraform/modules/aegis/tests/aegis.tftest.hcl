variables {
  values = {
    control        = { settings = { rotate_every = { issuer = "30d" } } }
    network_policy = { agents = ["shop"], tools = [] }
  }
  redis        = { nodes = ["redis.internal:6379"], networks = ["10.1.2.0/24"] }
  postgresql   = { host = "db.internal", networks = ["10.2.0.0/24"] }
  secret_store = { name = "vault" }
}

run "what_stands_around_a_mesh_gets_into_its_values" {
  command = plan
  assert {
    condition = yamldecode(output.values).control.settings == {
      rotate_every = { issuer = "30d" }, database = { file = "/run/secrets/control/database.url" },
    }
    error_message = "the database is added to the settings"
  }
  assert {
    condition     = yamldecode(output.values).networkPolicy.redis == [{ ipBlock = { cidr = "10.1.2.0/24" } }]
    error_message = "Redis may be reached"
  }
  assert {
    condition     = yamldecode(output.values).networkPolicy.controlEgress[0].ports[0].port == 5432
    error_message = "PostgreSQL may be reached"
  }
  assert {
    condition     = yamldecode(output.values).networkPolicy.tools == []
    error_message = "an empty list allows nothing"
  }
  assert {
    condition     = join(",", sort(distinct([for object in yamldecode(output.surroundings).manifests : object.kind]))) == "ExternalSecret,Namespace"
    error_message = "namespaces and references"
  }
}

run "a_namespace_is_privileged_only_while_sidecars_are_enabled" {
  command = plan
  variables {
    values = { sidecar = { namespaces = [{ name = "team", agents = [{ name = "a", agent = "acme/emea/a" }] }] } }
  }
  assert {
    condition     = keys(output.labels) == ["mesh"]
    error_message = "no namespace for sidecars that nobody gets"
  }
}

run "a_word_that_nobody_knows_is_refused" {
  command = plan
  variables {
    values = { network_policy = { tool = [] } }
  }
  expect_failures = [var.values]
}

run "a_word_that_nobody_knows_is_refused_further_down" {
  command = plan
  variables {
    values = { sidecar = { records = { los = "refuse" } } }
  }
  expect_failures = [var.values]
}

run "a_part_that_nobody_knows_is_refused" {
  command = plan
  variables {
    values = { netwrok_policy = {} }
  }
  expect_failures = [var.values]
}
