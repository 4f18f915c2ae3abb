"""What AWS's error codes mean: the one list of them.

It has AWS's common errors (every API reference has a page of that name), what botocore counts as throttling or
transient, and what the called services document. Codes of one meaning are in the order of the alphabet.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Meaning(StrEnum):
    """What a code says about the call."""

    EXPIRED = "expired"
    """The credentials were valid once."""
    CLOCK = "clock"
    """The signature's time is too far from AWS's."""
    REFUSED = "refused"
    """The key is unknown, or the signature is not its."""
    DENIED = "denied"
    """A permission, subscription or opt-in is missing."""
    THROTTLED = "throttled"
    """Too many calls; this one was not carried out."""
    CONFLICT = "conflict"
    """Something else changed the same thing at the same moment."""
    UNAVAILABLE = "unavailable"
    """The service failed, or was too slow."""
    INVALID = "invalid"
    """The request cannot be carried out as it is."""
    MISSING = "missing"
    """A table, topic, queue, bucket or secret does not exist."""
    OBJECT_MISSING = "object_missing"
    """An object of a bucket does not exist."""
    KEY = "key"
    """A KMS key cannot be used."""
    GONE = "gone"
    """An account or unit is not, or no longer, in the organization."""
    NO_ORGANIZATION = "no_organization"
    """The account belongs to no organization."""


_CODES: Final[Mapping[Meaning, str]] = {
    Meaning.EXPIRED: """
        ExpiredToken ExpiredTokenException ExpiredTradeInTokenException TokenRefreshRequired
    """,
    Meaning.CLOCK: """
        RequestExpired RequestInTheFuture RequestTimeTooSkewed
    """,
    Meaning.REFUSED: """
        AuthFailure AuthorizationHeaderMalformed CredentialsNotSupported IDPRejectedClaim IncompleteSignature
        IncompleteSignatureException InvalidAccessKeyId InvalidClientTokenId InvalidIdentityToken
        InvalidIdentityTokenException InvalidSecurity InvalidSecurityException InvalidSecurityToken InvalidSignature
        InvalidSignatureException InvalidToken InvalidTokenException MissingAuthenticationToken
        MissingAuthenticationTokenException MissingSecurityHeader SignatureDoesNotMatch SignatureVersionNotSupported
        UnauthorizedException UnrecognizedClient UnrecognizedClientException
    """,
    Meaning.DENIED: """
        403 AccessDenied AccessDeniedException AccountProblem AllAccessDisabled AuthorizationError
        AuthorizationErrorException Blocked EC2AccessDeniedException Forbidden ForbiddenException
        KMS.AccessDeniedException KMS.OptInRequired KmsAccessDenied KMSAccessDenied KMSAccessDeniedException
        KmsOptInRequired KMSOptInRequired NotAuthorized NotAuthorizedException NotSignedUp
        OpsItemAccessDeniedException OptInRequired OptInRequiredException PendingVerification RegionDisabled
        RegionDisabledException SubscriptionRequired SubscriptionRequiredException Unauthorized UnauthorizedAccess
        UnauthorizedOperation
    """,
    Meaning.THROTTLED: """
        BandwidthLimitExceeded EC2ThrottledException KMS.ThrottlingException KmsThrottled KMSThrottling
        KMSThrottlingException LimitExceededException OverLimit PriorRequestNotComplete ProvisionedThroughputExceeded
        ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled RequestThrottledException
        SlowDown Throttled ThrottledException Throttling ThrottlingError ThrottlingException TooManyRequests
        TooManyRequestsException TransactionInProgressException
    """,
    Meaning.CONFLICT: """
        ConcurrentModification ConcurrentModificationException ConditionalCheckFailed ConditionalCheckFailedException
        OpsItemConflictException ReplicatedWriteConflictException ResourceConflictException
        TransactionCanceledException TransactionConflict TransactionConflictException
    """,
    Meaning.UNAVAILABLE: """
        BadGateway CodeArtifactUserPendingException DependencyTimeoutException EC2UnexpectedException EFSIOException
        EFSMountConnectivityException EFSMountTimeoutException ENILimitReachedException ENINotReadyException
        GatewayTimeout IDPCommunicationError InternalError InternalErrorException InternalFailure InternalServerError
        InternalServerErrorException InternalServerException InternalServiceError InternalServiceErrorException
        InternalServiceException InternalServiceFault KeyUnavailableException KMSInternalException OperationAborted
        RequestAborted RequestAbortedException RequestTimeout RequestTimeoutException ResourceNotReadyException
        RestApiServerException S3FilesMountConnectivityException S3FilesMountTimeoutException ServerException
        ServiceException ServiceFailure ServiceUnavailable ServiceUnavailableException SnapStartNotReadyException
        SnapStartTimeoutException SubnetIPAddressLimitReachedException Unavailable
    """,
    Meaning.INVALID: """
        BadRequest BadRequestException BatchEntryIdsNotDistinct BatchRequestTooLong CodeArtifactUserDeletedException
        CodeArtifactUserFailedException ConstraintViolationException DryRunOperationException
        DurableExecutionAlreadyStartedException EFSMountFailureException EmptyBatchRequest EncryptionTypeMismatch
        EndpointDisabled EntityTooLarge IdempotentParameterMismatchException IllegalLocationConstraintException
        InvalidAction InvalidAddress InvalidAttributeName InvalidAttributeValue InvalidBatchEntryId InvalidBucketName
        InvalidCiphertextException InvalidContentType InvalidEndpointException InvalidGrantTokenException
        InvalidIdFormat InvalidInput InvalidInputException InvalidMessageContents InvalidObjectState InvalidParameter
        InvalidParameterCombination InvalidParameterException InvalidParameterValue InvalidParameterValueException
        InvalidQueryParameter InvalidRequest InvalidRequestContentException InvalidRequestException
        InvalidRuntimeException InvalidSecurityGroupIDException InvalidSubnetIDException InvalidWriteOffset
        InvalidZipFileException ItemCollectionSizeLimitExceeded ItemCollectionSizeLimitExceededException
        MalformedHttpRequestException MalformedPolicyDocument MalformedQueryString MalformedXML MethodNotAllowed
        MissingAction MissingParameter MissingParameterException ModeNotSupportedException NoPublishedVersionException
        OpsItemAlreadyExistsException OpsItemInvalidParameterException OpsItemLimitExceededException
        PackedPolicyTooLarge ParameterValueInvalid PermanentRedirect PlatformApplicationDisabled
        ReceiptHandleIsInvalid RecursiveInvocationException RequestEntityTooLarge RequestEntityTooLargeException
        RequestTooLargeException RestApiClientException S3FilesMountFailureException SerializationException
        SerializedRequestEntityTooLargeException ServiceQuotaExceededException SnapStartException
        SnapStartRegenerationFailureException TooManyEntriesInBatchRequest TooManyParts UnknownOperation
        UnknownOperationException UnknownParameter UnsupportedAPIEndpointException UnsupportedMediaTypeException
        UnsupportedOperation UnsupportedProtocol ValidationError ValidationException
    """,
    Meaning.MISSING: """
        404 AWS.SimpleQueueService.NonExistentQueue AWS.SimpleQueueService.QueueDeletedRecently NoSuchBucket
        NoSuchEntity NotFound NotFoundException OpsItemNotFoundException QueueDeletedRecently QueueDoesNotExist
        ResourceNotFound ResourceNotFoundException TableNotFoundException
    """,
    Meaning.OBJECT_MISSING: """
        NoSuchKey NoSuchUpload NoSuchVersion
    """,
    Meaning.KEY: """
        DecryptionFailure DisabledException InaccessibleEncryptionDateTimeException IncorrectKeyException
        InvalidKeyUsageException KMS.DisabledException KMS.InvalidStateException KMS.NotFoundException KmsDisabled
        KMSDisabled KMSDisabledException KmsInvalidKeyUsage KMSInvalidState KmsInvalidState KMSInvalidStateException
        KMSNotFound KmsNotFound KMSNotFoundException
    """,
    Meaning.GONE: """
        AccountNotFoundException ChildNotFoundException OrganizationalUnitNotFoundException ParentNotFoundException
        RootNotFoundException TargetNotFoundException
    """,
    Meaning.NO_ORGANIZATION: """
        AWSOrganizationsNotInUseException
    """,
}

MEANINGS: Final[Mapping[str, Meaning]] = {code: meaning for meaning, codes in _CODES.items() for code in codes.split()}
