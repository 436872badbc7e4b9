# What only the owner knows: terraform.tfvars.json gives it, after the example beside it. The module says what is
# right and what is not.

variable "account_id" {
  type        = string
  description = "The AWS account of this environment; Terraform and the scripts refuse any other."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account, in quotes."
  }
}

variable "region" {
  type        = string
  description = "The AWS region of this environment, such as eu-west-1."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region of AWS, such as eu-west-1."
  }
}

variable "bucket_name" {
  type        = string
  description = "The bucket that days land in; it is made here, and its name is unique in all of S3."
}

variable "image_repository_url" {
  type        = string
  description = "Where images are pulled from: the bootstrap's output of this name."
}

variable "permissions_boundary_arn" {
  type        = string
  description = "What no role may exceed: the bootstrap's output of this name."
}

variable "alarm_emails" {
  type        = list(string)
  description = "Addresses that every alarm is sent to."
}

variable "sources" {
  type        = list(string)
  description = "Names of the catalog's sources to extract."
  default     = ["world_bank"]
}

variable "source_keys" {
  type        = map(string)
  description = "For each environment variable that a source's key is read from: the ARN of its secret."
  default     = {}
}
