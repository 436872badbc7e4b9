# Who may act in the account, and what is kept.

# Planned and never applied: the state bucket is one that cannot be destroyed, not even a made-up one.
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

# Nothing can be imported out of a mocked provider.
override_resource {
  target          = aws_s3_bucket.state
  override_during = plan
  values = {
    arn = "arn:aws:s3:::terraform-state-ashore-123456789012"
  }
}

variables {
  account_id = "123456789012"
  region     = "eu-west-1"
  repository = "example/ashore"
}

run "a_pull_request_may_read_and_an_environment_may_write" {
  command = plan

  assert {
    condition = {
      for purpose, role in aws_iam_role.github : purpose =>
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]
      } == {
      plan   = ["repo:example/ashore:pull_request"]
      deploy = ["repo:example/ashore:environment:dev"]
    }
    error_message = "Each role is for one kind of job of one repository, to the letter."
  }

  assert {
    condition = alltrue([
      for role in aws_iam_role.github :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    ])
    error_message = "A token for somebody else opens nothing here."
  }
}

run "a_newer_repository_is_named_with_its_numbers" {
  command = plan

  variables {
    repository = "example@123456/ashore@456789"
  }

  assert {
    condition = (
      jsondecode(aws_iam_role.github["deploy"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]
      == ["repo:example@123456/ashore@456789:environment:dev"]
    )
    error_message = "The subject has to be the very one that GitHub gives such a repository."
  }
}

run "the_reading_role_reads_no_data" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for each in jsondecode(aws_iam_role_policy.plan.policy).Statement : [
        for resource in each.Resource : endswith(resource, ":terraform-state-ashore-123456789012/environments/*")
      ] if contains(each.Action, "s3:GetObject")
    ]))
    error_message = "Whoever opens a pull request sees the state, and nothing that landed."
  }

  assert {
    condition = alltrue(flatten([
      for each in jsondecode(aws_iam_role_policy.plan.policy).Statement : [
        for action in each.Action : can(regex(":(Get|Describe|List)", action))
      ]
    ]))
    error_message = "The reading role reads."
  }
}

run "the_roles_find_the_state_and_are_as_large_as_iam_takes" {
  command = plan

  assert {
    condition = anytrue([
      for each in jsondecode(aws_iam_role_policy.plan.policy).Statement :
      contains(each.Action, "s3:ListBucket") && contains(each.Resource, "arn:aws:s3:::terraform-state-ashore-123456789012")
    ])
    error_message = "terraform init lists the state bucket, and a state that is not there yet has to be a 404."
  }

  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
  assert {
    condition     = length(aws_iam_role_policy.deploy_reading.policy) + length(aws_iam_role_policy.deploy_writing.policy) <= 10240
    error_message = "The inline policies of a role are 10,240 characters at the most, all together."
  }
}

run "a_network_carries_the_tag_from_the_start" {
  command = plan

  assert {
    condition = alltrue([
      for each in jsondecode(aws_iam_role_policy.deploy_writing.policy).Statement : anytrue([
        try(each.Condition.StringEquals["aws:RequestTag/project"], "") == "ashore",
        try(each.Condition.StringEquals["aws:ResourceTag/project"], "") == "ashore",
      ]) if anytrue([for action in each.Action : startswith(action, "ec2:")])
    ])
    error_message = "Nothing of a network is made or changed without the project's tag."
  }
}

run "images_stay_what_they_are" {
  command = plan

  assert {
    condition     = aws_ecr_repository.ashore.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.ashore.image_scanning_configuration[0].scan_on_push
    error_message = "A tag means one image for ever, and each image is looked through."
  }

  assert {
    condition     = length(aws_ecr_repository_policy.pulling) == 0
    error_message = "Nobody else's account may pull, unless it is named."
  }
}

run "another_account_may_pull_where_it_is_named" {
  command = plan

  variables {
    pulling_account_ids = ["210987654321"]
  }

  assert {
    condition     = jsondecode(aws_ecr_repository_policy.pulling[0].policy).Statement[0].Principal.AWS == ["arn:aws:iam::210987654321:root"]
    error_message = "The account that is named, and no other."
  }
}

run "a_wildcard_for_a_repository" {
  command = plan

  variables {
    repository = "example/*"
  }

  expect_failures = [var.repository]
}

run "a_repository_with_half_of_its_numbers" {
  command = plan

  variables {
    repository = "example@123456/ashore"
  }

  expect_failures = [var.repository]
}

run "a_wildcard_for_an_environment" {
  command = plan

  variables {
    deploying = ["*"]
  }

  expect_failures = [var.deploying]
}

run "an_account_without_its_zeros" {
  command = plan

  variables {
    account_id = "12345"
  }

  expect_failures = [var.account_id]
}

run "a_region_that_is_none" {
  command = plan

  variables {
    region = "Europe"
  }

  expect_failures = [var.region]
}

run "a_pulling_account_that_is_none" {
  command = plan

  variables {
    pulling_account_ids = ["all"]
  }

  expect_failures = [var.pulling_account_ids]
}

run "too_few_images" {
  command = plan

  variables {
    images_kept = 1
  }

  expect_failures = [var.images_kept]
}
