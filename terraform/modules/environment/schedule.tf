# When it runs: at 01:00 UTC, and some times more, which on a complete day send no request.

locals {
  rules = merge(
    { daily = { at = var.run_at, what = "Extract the day" } },
    var.catch_up == null ? {} : { catch-up = { at = var.catch_up, what = "Complete the day, if it is not" } },
  )
}

resource "aws_cloudwatch_event_rule" "run" {
  for_each = local.rules

  name                = "${var.name}-${each.key}"
  description         = each.value.what
  schedule_expression = each.value.at
  # Before the first release there is nothing to run.
  state = local.released ? "ENABLED" : "DISABLED"
}

resource "aws_cloudwatch_event_target" "run" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.run[each.key].name
  target_id = "task"
  arn       = aws_ecs_cluster.main.arn
  role_arn  = aws_iam_role.schedule.arn

  ecs_target {
    launch_type         = "FARGATE"
    platform_version    = "LATEST"
    task_definition_arn = aws_ecs_task_definition.extract.arn
    task_count          = 1
    propagate_tags      = "TASK_DEFINITION"

    network_configuration {
      subnets          = aws_subnet.public[*].id
      security_groups  = [aws_security_group.task.id]
      assign_public_ip = true
    }
  }

  # The extraction date is that of the schedule, also where the task starts late. Not by jsonencode: it
  # would escape <time>, which EventBridge then takes for text.
  input_transformer {
    input_paths    = { time = "$.time" }
    input_template = <<-EOT
      {"containerOverrides":[{"name":"${local.container}","environment":[{"name":"ASHORE_SCHEDULED_AT","value":<time>}]}]}
    EOT
  }

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 3
  }

  dead_letter_config {
    arn = aws_sqs_queue.not_started.arn
  }
}

# Starts that EventBridge gave up on.
resource "aws_sqs_queue" "not_started" {
  name                      = "${var.name}-not-started"
  message_retention_seconds = 1209600 # two weeks, the longest
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "not_started" {
  queue_url = aws_sqs_queue.not_started.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RulesMayLeaveWhatTheyCouldNotStart"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.not_started.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in aws_cloudwatch_event_rule.run : rule.arn] } }
    }]
  })
}
