# What the module refuses, each with a message that says what is right.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                     = "ashore-test"
  bucket_name              = "ashore-test-landing"
  image_repository_url     = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ashore"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/ashore-boundary"
  alarm_emails             = ["data@example.org"]
}

run "a_name_of_another_project" {
  command = plan

  variables {
    name = "shop-dev"
  }

  expect_failures = [var.name]
}

run "a_bucket_that_the_roles_may_not_touch" {
  command = plan

  variables {
    bucket_name = "landing"
  }

  expect_failures = [var.bucket_name]
}

run "an_image_with_a_tag" {
  command = plan

  variables {
    image_repository_url = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ashore:latest"
  }

  expect_failures = [var.image_repository_url]
}

run "a_boundary_that_is_none" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "a_source_with_an_odd_name" {
  command = plan

  variables {
    sources = ["World Bank"]
  }

  expect_failures = [var.sources]
}

run "nothing_to_extract" {
  command = plan

  variables {
    sources = []
  }

  expect_failures = [var.sources]
}

run "a_key_itself" {
  command = plan

  variables {
    source_keys = { REST_COUNTRIES_API_KEY = "rc_live_0123456789" }
  }

  expect_failures = [var.source_keys]
}

run "all_secrets_at_once" {
  command = plan

  variables {
    source_keys = { REST_COUNTRIES_API_KEY = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*" }
  }

  expect_failures = [var.source_keys]
}

run "a_secret_of_somebody_else" {
  command = plan

  variables {
    source_keys = { REST_COUNTRIES_API_KEY = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:payroll-AbCdEf" }
  }

  expect_failures = [var.source_keys]
}

run "a_key_without_a_variable" {
  command = plan

  variables {
    source_keys = { "rest countries" = "arn:aws:ssm:eu-west-1:123456789012:parameter/ashore/other" }
  }

  expect_failures = [var.source_keys]
}

run "a_schedule_of_five_fields" {
  command = plan

  variables {
    run_at = "cron(0 1 * * ?)"
  }

  expect_failures = [var.run_at]
}

run "a_schedule_by_rate" {
  command = plan

  variables {
    run_at = "rate(1 day)"
  }

  expect_failures = [var.run_at]
}

run "a_catch_up_of_five_fields" {
  command = plan

  variables {
    catch_up = "cron(0 2,4,8 * * ?)"
  }

  expect_failures = [var.catch_up]
}

run "a_deadline_without_a_unit" {
  command = plan

  variables {
    deadline = "50"
  }

  expect_failures = [var.deadline]
}

run "a_processor_of_another_size" {
  command = plan

  variables {
    cpu_units = 300
  }

  expect_failures = [var.cpu_units]
}

run "too_little_memory" {
  command = plan

  variables {
    memory_mib = 256
  }

  expect_failures = [var.memory_mib]
}

run "memory_in_parts_of_a_gib" {
  command = plan

  variables {
    memory_mib = 1500
  }

  expect_failures = [var.memory_mib]
}

run "a_retention_that_cloudwatch_does_not_know" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "moving_at_once" {
  command = plan

  variables {
    cheaper_after_days = 0
  }

  expect_failures = [var.cheaper_after_days]
}

run "an_address_that_is_none" {
  command = plan

  variables {
    alarm_emails = ["data team"]
  }

  expect_failures = [var.alarm_emails]
}

run "a_network_that_is_too_small" {
  command = plan

  variables {
    network_cidr = "10.60.0.0/28"
  }

  expect_failures = [var.network_cidr]
}
