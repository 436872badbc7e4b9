data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name

  # The container, and what everything else that names it has to agree on.
  container = "ashore"
  user      = "10001"
  namespace = "ashore/${var.name}"
}
