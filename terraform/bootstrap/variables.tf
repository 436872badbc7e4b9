variable "account_id" {
  type        = string
  description = "The AWS account that this is for; Terraform refuses any other."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account, in quotes."
  }
}

variable "region" {
  type        = string
  description = "The AWS region of the state and of the images, such as eu-west-1."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region of AWS, such as eu-west-1."
  }
}

variable "repository" {
  type        = string
  description = "The repository on GitHub whose workflows may act here, as its tokens name it: OWNER@ID/NAME@ID, or OWNER/NAME if it is older than 2026-07-15."

  validation {
    condition = anytrue([
      can(regex("^[A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+$", var.repository)),
      can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository)),
    ])
    error_message = "repository must be OWNER@ID/NAME@ID or OWNER/NAME, without *: nobody else's workflow may act here. docs/operations.md says which."
  }
}

variable "deploying" {
  type        = list(string)
  description = "GitHub environments of that repository that may deploy into this account; GitHub guards who enters them."
  default     = ["dev"]

  validation {
    condition     = length(var.deploying) > 0 && alltrue([for name in var.deploying : can(regex("^[A-Za-z0-9_-]+$", name))])
    error_message = "deploying must be names of GitHub environments, such as dev, without *."
  }
}

variable "pulling_account_ids" {
  type        = list(string)
  description = "Other accounts whose tasks pull the images that lie here: prod's, where that is an account of its own."
  default     = []

  validation {
    condition     = alltrue([for id in var.pulling_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "pulling_account_ids must be 12 digits each, in quotes."
  }
}

variable "images_kept" {
  type        = number
  description = "How many of the newest images are kept: more than there are merges between two releases to prod, whose image is lost otherwise."
  default     = 30

  validation {
    condition     = var.images_kept >= 5 && floor(var.images_kept) == var.images_kept
    error_message = "images_kept must be a whole number, at least 5: what is deployed, and what one may go back to."
  }
}
