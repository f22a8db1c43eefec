variables {
  host     = "db.internal"
  networks = ["10.2.0.0/24"]
}

run "the_settings_say_where_the_url_is_and_not_what_it_is" {
  command = plan
  assert {
    condition     = output.settings == { database = { file = "/run/secrets/control/database.url" } }
    error_message = "a file"
  }
  assert {
    condition     = output.url == "postgresql://aegis@db.internal:5432/aegis?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt"
    error_message = output.url
  }
}

run "the_control_plane_reaches_its_port_and_no_other" {
  command = plan
  assert {
    condition     = output.egress == [{ ports = [{ port = 5432, protocol = "TCP" }], to = [{ ipBlock = { cidr = "10.2.0.0/24" } }] }]
    error_message = "one port, one network"
  }
}

run "a_host_is_no_url" {
  command = plan
  variables {
    host = "aegis:secret@db.internal"
  }
  expect_failures = [var.host]
}

run "all_networks_are_no_network" {
  command = plan
  variables {
    networks = ["::/0"]
  }
  expect_failures = [var.networks]
}

run "a_server_is_verified" {
  command = plan
  variables {
    verify = "require"
  }
  expect_failures = [var.verify]
}
