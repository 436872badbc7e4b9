# What the workflows may do, by the names of what they do it to: everything that an environment makes is called
# ashore-*, so nothing else in the account can be touched.

locals {
  named = {
    for service, resource in {
      buckets  = "s3:::ashore-*"
      clusters = "ecs:${var.region}:${var.account_id}:cluster/ashore-*"
      tasks    = "ecs:${var.region}:${var.account_id}:task/ashore-*"
      families = "ecs:${var.region}:${var.account_id}:task-definition/ashore-*"
      logs     = "logs:${var.region}:${var.account_id}:log-group:/ecs/ashore-*"
      rules    = "events:${var.region}:${var.account_id}:rule/ashore-*"
      queues   = "sqs:${var.region}:${var.account_id}:ashore-*"
      topics   = "sns:${var.region}:${var.account_id}:ashore-*"
      alarms   = "cloudwatch:${var.region}:${var.account_id}:alarm:ashore-*"
      digests  = "ssm:${var.region}:${var.account_id}:parameter/ashore-*"
    } : service => "arn:${local.partition}:${resource}"
  }

  # The roles of environments; never the two that stand here.
  roles = [
    for purpose in ["task", "execution", "schedule"] :
    "arn:${local.partition}:iam::${var.account_id}:role/ashore-*-${purpose}"
  ]

  reading = [
    {
      # Terraform reads every property of what it made, and each has an action of its own; none of these reads
      # an object: landed data stay out of sight.
      Sid    = "ReadWhatIsThere"
      Effect = "Allow"
      Action = [
        "s3:GetBucket*", "s3:GetAccelerateConfiguration", "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket",
        "ecs:DescribeClusters", "ecs:DescribeTasks", "ecs:ListTagsForResource",
        "events:DescribeRule", "events:ListTargetsByRule", "events:ListTagsForResource",
        "logs:ListTagsForResource", "logs:ListTagsLogGroup",
        "sns:GetTopicAttributes", "sns:ListTagsForResource",
        "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags",
        "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource",
        "ssm:GetParameter", "ssm:GetParameters", "ssm:ListTagsForResource",
      ]
      Resource = values(local.named)
    },
    {
      Sid      = "ReadRoles"
      Effect   = "Allow"
      Action   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:ListRoleTags"]
      Resource = local.roles
    },
    {
      # These describe by filters, and take no narrower resource; they tell of networks and names, not of data.
      # https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
      Sid    = "ReadWhatHasNoNameYet"
      Effect = "Allow"
      Action = [
        "ec2:DescribeAvailabilityZones", "ec2:DescribeInternetGateways", "ec2:DescribeNetworkAcls",
        "ec2:DescribePrefixLists", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs", "ec2:DescribeNetworkInterfaces",
        "ecs:DescribeTaskDefinition", "logs:DescribeLogGroups", "sns:GetSubscriptionAttributes",
        "ssm:DescribeParameters",
      ]
      Resource = ["*"]
    },
    {
      # Terraform looks for workspaces, and has to be told of a state that is not there yet.
      # https://developer.hashicorp.com/terraform/language/backend/s3#s3-bucket-permissions
      Sid      = "FindTheState"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = [aws_s3_bucket.state.arn]
    },
    {
      Sid      = "ReadTheState"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["${aws_s3_bucket.state.arn}/environments/*"]
    },
  ]

  writing = [
    {
      Sid      = "KeepTheState"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${aws_s3_bucket.state.arn}/environments/*"]
    },
    {
      # A lock is a file beside the state, which goes when it is let go.
      Sid      = "LetTheLockGo"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject"]
      Resource = ["${aws_s3_bucket.state.arn}/environments/*.tflock"]
    },
    {
      Sid    = "KeepBuckets"
      Effect = "Allow"
      Action = [
        "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging",
        "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
      ]
      Resource = [local.named.buckets]
    },
    {
      Sid    = "KeepTasks"
      Effect = "Allow"
      Action = [
        "ecs:CreateCluster", "ecs:DeleteCluster", "ecs:UpdateCluster", "ecs:RunTask", "ecs:StopTask",
        "ecs:TagResource", "ecs:UntagResource", "ecs:RegisterTaskDefinition",
      ]
      Resource = [local.named.clusters, local.named.families, local.named.tasks]
    },
    {
      # Takes no narrower resource; a definition that is deregistered can still be looked at.
      Sid      = "RetireTaskDefinitions"
      Effect   = "Allow"
      Action   = ["ecs:DeregisterTaskDefinition"]
      Resource = ["*"]
    },
    {
      Sid    = "KeepLogsRulesQueuesTopicsAlarms"
      Effect = "Allow"
      Action = [
        "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
        "logs:GetLogEvents", "logs:FilterLogEvents",
        "events:DeleteRule", "events:DisableRule", "events:EnableRule", "events:PutRule", "events:PutTargets",
        "events:RemoveTargets", "events:TagResource", "events:UntagResource",
        "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue",
        "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe",
        "sns:TagResource", "sns:UntagResource",
        "cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource",
        "ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource",
      ]
      Resource = [for service in ["logs", "rules", "queues", "topics", "alarms", "digests"] : local.named[service]]
    },
    {
      # A subscription is no resource that a policy could name.
      # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
      Sid      = "EndSubscriptions"
      Effect   = "Allow"
      Action   = ["sns:Unsubscribe"]
      Resource = ["*"]
    },
    {
      # A role that is made here can never do more than the boundary says: nobody becomes mightier by making one.
      Sid       = "MakeRolesWithinTheBoundary"
      Effect    = "Allow"
      Action    = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:DeleteRolePolicy"]
      Resource  = local.roles
      Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
    },
    {
      Sid      = "KeepRoles"
      Effect   = "Allow"
      Action   = ["iam:DeleteRole", "iam:ListInstanceProfilesForRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
      Resource = local.roles
    },
    {
      # ECS makes its own role the first time that an account has a cluster, with the right of whoever makes that.
      # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
      Sid       = "LetEcsMakeItsOwnRole"
      Effect    = "Allow"
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"]
      Condition = { StringEquals = { "iam:AWSServiceName" = "ecs.amazonaws.com" } }
    },
    {
      Sid       = "HandOverRoles"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = local.roles
      Condition = { StringEquals = { "iam:PassedToService" = ["ecs-tasks.amazonaws.com", "events.amazonaws.com"] } }
    },
    {
      # A network has no name before it is made: what is made must carry the project's tag from the start.
      Sid    = "MakeNetworks"
      Effect = "Allow"
      Action = [
        "ec2:CreateInternetGateway", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet",
        "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
      ]
      Resource = [for kind in ["internet-gateway", "route-table", "security-group", "subnet", "vpc", "vpc-endpoint"] :
      "arn:${local.partition}:ec2:${var.region}:${var.account_id}:${kind}/*"]
      Condition = { StringEquals = { "aws:RequestTag/project" = "ashore" } }
    },
    {
      # A rule has a tag of its own, beside that of the group that it is made in.
      # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
      Sid       = "MakeRulesOfNetworks"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupEgress"]
      Resource  = ["arn:${local.partition}:ec2:${var.region}:${var.account_id}:security-group-rule/*"]
      Condition = { StringEquals = { "aws:RequestTag/project" = "ashore" } }
    },
    {
      # And only what carries it can be changed, or have something made in it.
      Sid    = "KeepNetworks"
      Effect = "Allow"
      Action = [
        "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroupEgress", "ec2:CreateRoute",
        "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpcEndpoint",
        "ec2:DeleteInternetGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup",
        "ec2:DeleteSubnet", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway",
        "ec2:DisassociateRouteTable", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute",
        "ec2:ModifyVpcEndpoint", "ec2:RevokeSecurityGroupEgress",
      ]
      Resource  = ["arn:${local.partition}:ec2:${var.region}:${var.account_id}:*/*"]
      Condition = { StringEquals = { "aws:ResourceTag/project" = "ashore" } }
    },
    {
      # Tags are set while something is made, and not on what others made.
      Sid       = "TagNetworks"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["arn:${local.partition}:ec2:${var.region}:${var.account_id}:*/*"]
      Condition = { StringEquals = { "aws:RequestTag/project" = "ashore" }, StringLike = { "ec2:CreateAction" = "*" } }
    },
    {
      Sid    = "PushImages"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
      ]
      Resource = [aws_ecr_repository.ashore.arn]
    },
    {
      # A release looks whether its image is there. Prod's may lie in another account, which says who may look.
      Sid      = "LookForImages"
      Effect   = "Allow"
      Action   = ["ecr:BatchGetImage"]
      Resource = ["arn:${local.partition}:ecr:*:*:repository/${aws_ecr_repository.ashore.name}"]
    },
    {
      # A token is of the account: ECR takes no narrower resource.
      Sid      = "LogInToTheRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
  ]
}

# What the roles of an environment may do at the most, whatever their policies say.
resource "aws_iam_policy" "boundary" {
  name        = "ashore-boundary"
  description = "The most that any role of an environment of ashore may do"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "LandAndRead"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]
        Resource = ["arn:${local.partition}:s3:::ashore-*"]
      },
      {
        # Where images lie is said by each environment; who pulls from another account may too.
        Sid    = "Start"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
          "logs:CreateLogStream", "logs:PutLogEvents",
        ]
        Resource = ["*"]
      },
      {
        # No other secret of the account, so that nobody reads more by making a role.
        Sid    = "ReadKeysOfSources"
        Effect = "Allow"
        Action = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
        Resource = [
          "arn:${local.partition}:secretsmanager:*:*:secret:ashore*",
          "arn:${local.partition}:ssm:*:*:parameter/ashore*",
        ]
      },
      {
        Sid      = "Run"
        Effect   = "Allow"
        Action   = ["ecs:RunTask", "ecs:TagResource"]
        Resource = [local.named.families, local.named.tasks]
      },
      {
        Sid      = "HandOver"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = local.roles
      },
    ]
  })
}
