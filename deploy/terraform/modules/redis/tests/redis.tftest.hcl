variables {
  nodes    = ["redis.internal:6379"]
  networks = ["10.1.2.0/24"]
}

run "a_server_is_reached_by_tls" {
  command = plan
  assert {
    condition     = output.url == "rediss://redis.internal:6379/0"
    error_message = output.url
  }
  assert {
    condition     = output.peers == [{ ipBlock = { cidr = "10.1.2.0/24" } }]
    error_message = "the network is a peer"
  }
}

run "an_authority_of_its_own_is_named" {
  command = plan
  variables {
    authorities = "/run/secrets/public/redis.pem"
  }
  assert {
    condition     = output.url == "rediss://redis.internal:6379/0?ssl_ca_certs=/run/secrets/public/redis.pem"
    error_message = output.url
  }
}

run "a_cluster_is_several_nodes" {
  command = plan
  variables {
    kind  = "cluster"
    nodes = ["r-0:6379", "r-1:6379"]
  }
  assert {
    condition     = output.url == "clusters://r-0:6379,r-1:6379"
    error_message = output.url
  }
}

run "sentinels_name_the_master" {
  command = plan
  variables {
    kind    = "sentinel"
    nodes   = ["s-0:26379", "s-1:26379"]
    service = "mesh"
    tls     = false
  }
  assert {
    condition     = output.url == "sentinel://s-0:26379,s-1:26379/mesh"
    error_message = output.url
  }
}

run "sentinels_without_a_master_are_refused" {
  command = plan
  variables {
    kind = "sentinel"
    tls  = false
  }
  expect_failures = [var.service]
}

run "a_password_is_no_part_of_a_node" {
  command = plan
  variables {
    nodes = ["aegis:secret@redis.internal:6379"]
  }
  expect_failures = [var.nodes]
}

run "the_whole_internet_is_no_network" {
  command = plan
  variables {
    networks = ["0.0.0.0/0"]
  }
  expect_failures = [var.networks]
}
