# Four kinds of silence, each with an alarm; docs/operations.md has a section for each. All go to one topic.

resource "aws_sns_topic" "alarms" {
  # checkov:skip=CKV_AWS_26:CloudWatch and EventBridge cannot use the key that AWS keeps for SNS, and messages hold no secret
  name = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "mail" {
  for_each = toset(var.alarm_emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsOfThisAccountMaySpeak"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = local.here
      },
      {
        # Without a condition: EventBridge says nothing that one could look at, and its mails would be lost.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
        Sid       = "RulesMaySpeak"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
      },
    ]
  })
}

# The task stopped, and not well: each time, at once. The mails are JSON, in which EventBridge itself quotes
# what AWS's reason may hold. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
locals {
  stopped = {
    failed = {
      what    = "The task ended with a status other than 0"
      pattern = { containers = { exitCode = [{ "anything-but" = [0] }] } }
      paths   = { status = "$.detail.containers[0].exitCode" }
      tell    = <<-EOT
        {"what":"ashore ended with a status other than 0","exit_status":<status>,"reason":<reason>,"cluster":<cluster>,"task":<task>,"see":"'A run failed' in docs/operations.md"}
      EOT
    }
    not-started = {
      what    = "The task was accepted and could not be started: no image, no room, no secret"
      pattern = { stopCode = ["TaskFailedToStart"] }
      paths   = {}
      tell    = <<-EOT
        {"what":"ashore could not be started","reason":<reason>,"cluster":<cluster>,"task":<task>,"see":"'The task did not start' in docs/operations.md"}
      EOT
    }
  }
}

resource "aws_cloudwatch_event_rule" "stopped" {
  for_each = local.stopped

  name        = "${var.name}-${each.key}"
  description = each.value.what
  event_pattern = jsonencode({
    source        = ["aws.ecs"]
    "detail-type" = ["ECS Task State Change"]
    detail = merge(each.value.pattern, {
      clusterArn = [aws_ecs_cluster.main.arn]
      lastStatus = ["STOPPED"]
    })
  })
}

resource "aws_cloudwatch_event_target" "stopped" {
  for_each = local.stopped

  rule      = aws_cloudwatch_event_rule.stopped[each.key].name
  target_id = "alarms"
  arn       = aws_sns_topic.alarms.arn

  input_transformer {
    input_paths = merge(each.value.paths, {
      cluster = "$.detail.clusterArn"
      reason  = "$.detail.stoppedReason"
      task    = "$.detail.taskArn"
    })
    input_template = each.value.tell
  }
}

# EventBridge could not even ask for the task.
resource "aws_cloudwatch_metric_alarm" "failed_invocations" {
  for_each = local.rules

  alarm_name          = "${var.name}-${each.key}-failed-invocations"
  alarm_description   = "EventBridge could not start the task. See 'Failed invocations' in docs/operations.md."
  namespace           = "AWS/Events"
  metric_name         = "FailedInvocations"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.run[each.key].name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "A start was given up. See 'Dead letters' in docs/operations.md."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.not_started.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# Nothing happened at all. A new environment is in alarm until its first complete day.
resource "aws_cloudwatch_metric_alarm" "no_complete_day" {
  for_each = toset(var.sources)

  alarm_name          = "${var.name}-no-complete-day-${each.value}"
  alarm_description   = "No day of ${each.value} was complete in 26 hours. See 'No complete day' in docs/operations.md."
  namespace           = local.namespace
  metric_name         = "DayComplete"
  dimensions          = { Source = each.value }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 26
  datapoints_to_alarm = 26
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
