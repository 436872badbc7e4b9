# What the module makes of its variables, without AWS: the provider is mocked, so that ARNs are made up.

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

run "nothing_runs_before_the_first_release" {
  assert {
    condition     = alltrue([for rule in aws_cloudwatch_event_rule.run : rule.state == "DISABLED"])
    error_message = "Before the first release a rule would start an image that is not there."
  }

  assert {
    condition     = !output.released
    error_message = "No image was released yet."
  }
}

run "the_day_is_extracted_at_one_and_caught_up_with_later" {
  assert {
    condition = { for key, rule in aws_cloudwatch_event_rule.run : key => rule.schedule_expression } == {
      daily    = "cron(0 1 * * ? *)"
      catch-up = "cron(0 2,4,8 * * ? *)"
    }
    error_message = "The hours of the two rules are not those that the documents name."
  }

  assert {
    condition = alltrue([for target in aws_cloudwatch_event_target.run : trimspace(target.input_transformer[0].input_template) ==
      "{\"containerOverrides\":[{\"name\":\"ashore\",\"environment\":[{\"name\":\"ASHORE_SCHEDULED_AT\",\"value\":<time>}]}]}"
    ])
    error_message = "The scheduled time has to reach the program, and <time> must stand there unescaped."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.run : target.input_transformer[0].input_paths.time == "$.time"])
    error_message = "The scheduled time is the event's own time."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.run : target.dead_letter_config[0].arn == aws_sqs_queue.not_started.arn])
    error_message = "A start that is given up has to leave a letter."
  }
}

run "catching_up_can_be_left_out" {
  variables {
    catch_up = null
  }

  assert {
    condition     = keys(aws_cloudwatch_event_rule.run) == ["daily"]
    error_message = "With catch_up = null there is one rule."
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.failed_invocations) == ["daily"]
    error_message = "An alarm for each rule, and for no other."
  }
}

run "the_container_can_do_little" {
  assert {
    condition     = local.container_definition.readonlyRootFilesystem && local.container_definition.user == "10001:10001"
    error_message = "The root file system is read-only, and the user is not root."
  }

  assert {
    condition     = local.container_definition.linuxParameters.capabilities.drop == ["ALL"]
    error_message = "The container has no capabilities."
  }

  assert {
    condition     = local.container_definition.stopTimeout == 120
    error_message = "The program is given the longest time to end that Fargate knows."
  }

  assert {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", local.container_definition.image))
    error_message = "The image is named by its digest."
  }
}

run "keys_are_read_from_where_they_lie" {
  variables {
    source_keys = {
      REST_COUNTRIES_API_KEY = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ashore/rest-countries-AbCdEf"
      OTHER_KEY              = "arn:aws:ssm:eu-west-1:123456789012:parameter/ashore/other"
    }
    sources = ["world_bank", "rest_countries"]
  }

  assert {
    condition = { for each in local.container_definition.secrets : each.name => each.valueFrom } == {
      REST_COUNTRIES_API_KEY = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ashore/rest-countries-AbCdEf"
      OTHER_KEY              = "arn:aws:ssm:eu-west-1:123456789012:parameter/ashore/other"
    }
    error_message = "Each key reaches the container as an environment variable of its name."
  }

  assert {
    condition = { for each in jsondecode(aws_iam_role_policy.execution.policy).Statement : each.Sid => each.Resource if startswith(each.Sid, "ReadKeys") } == {
      ReadKeysInSecretsManager = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:ashore/rest-countries-AbCdEf"]
      ReadKeysInSsm            = ["arn:aws:ssm:eu-west-1:123456789012:parameter/ashore/other"]
    }
    error_message = "Just these keys may be read, and by nobody but whoever starts the task."
  }

  assert {
    condition     = local.container_definition.command == ["extract", "world_bank", "rest_countries"]
    error_message = "The sources are those that were named."
  }
}

run "without_keys_none_may_be_read" {
  assert {
    condition     = length([for each in jsondecode(aws_iam_role_policy.execution.policy).Statement : each if startswith(each.Sid, "ReadKeys")]) == 0
    error_message = "Where no key is named, none may be read."
  }
}

run "what_landed_is_kept" {
  assert {
    condition     = !aws_s3_bucket.landing.force_destroy && aws_s3_bucket_versioning.landing.versioning_configuration[0].status == "Enabled"
    error_message = "What landed goes with nobody's mistake."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.landing.block_public_acls, aws_s3_bucket_public_access_block.landing.block_public_policy,
      aws_s3_bucket_public_access_block.landing.ignore_public_acls, aws_s3_bucket_public_access_block.landing.restrict_public_buckets,
    ])
    error_message = "Nothing of the bucket is ever public."
  }

  assert {
    condition = alltrue([
      for each in local.task_policy.Statement :
      length(setintersection(each.Action, ["s3:PutObject", "s3:GetObject", "s3:ListBucket"])) == length(each.Action)
    ])
    error_message = "The task may create, read and list, and nothing else."
  }

  assert {
    condition = toset(jsondecode(aws_s3_bucket_policy.landing.policy).Statement[0].Resource) == toset([
      "arn:aws:s3:::ashore-test-landing", "arn:aws:s3:::ashore-test-landing/*",
    ])
    error_message = "Only over TLS: the bucket, and all that lies in it."
  }
}

run "each_source_has_an_alarm" {
  variables {
    sources = ["world_bank", "rest_countries"]
  }

  assert {
    condition = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.no_complete_day :
      alarm.dimensions.Source == name && alarm.period * alarm.evaluation_periods == 26 * 3600 && alarm.treat_missing_data == "breaching"
    ])
    error_message = "26 hours without a complete day, also without any word, are an alarm."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.no_complete_day) == 2
    error_message = "An alarm for each source."
  }
}
