"""The list of what AWS's error codes, and the AWS SDK's names of errors, mean.

It has AWS's common errors (every API reference has a page of that name), what botocore treats as throttling or
transient, what the called services document, and what botocore raises without an answer of AWS. Each meaning has one
class of errors, which names it; the class says what to do. Codes are in alphabetical order.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Meaning(StrEnum):
    """What a code says about a call."""

    EXPIRED = "expired"
    """The credentials are no longer valid."""
    CLOCK = "clock"
    """The signature's time differs too much from AWS's time."""
    REFUSED = "refused"
    """The key is unknown, or the signature was not made with it."""
    NO_CREDENTIALS = "no_credentials"
    """There are no credentials, or their source returns none."""
    NO_ANSWER = "no_answer"
    """The machine's own source of credentials did not answer."""
    SETUP = "setup"
    """A setting that the AWS SDK reads on the machine is wrong."""
    DENIED = "denied"
    """A permission, subscription or opt-in is missing."""
    KEY_DENIED = "key_denied"
    """The use of a KMS key is not allowed."""
    THROTTLED = "throttled"
    """There were too many calls; this one was not carried out."""
    CONFLICT = "conflict"
    """Another process changed the same thing at the same moment."""
    UNAVAILABLE = "unavailable"
    """The service failed, or was too slow."""
    UNREACHED = "unreached"
    """No connection to the service could be made."""
    PROXY = "proxy"
    """No connection to the proxy could be made."""
    FOREIGN = "foreign"
    """Something other than AWS answered."""
    LATE = "late"
    """The call was not sent, because preparing it took too long."""
    INVALID = "invalid"
    """AWS cannot carry out this request."""
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


CODES: Final[Mapping[Meaning, str]] = {
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
    Meaning.NO_CREDENTIALS: """
        CredentialRetrievalError LoginAuthorizationCodeError LoginError LoginInsufficientPermissions
        LoginRefreshRequired LoginTokenLoadError NoAuthTokenError NoCredentials NoCredentialsError
        PartialCredentialsError RefreshWithMFAUnsupportedError SSOError SSOTokenLoadError TokenRetrievalError
        UnauthorizedSSOTokenError UnknownCredentialError UnknownTokenProviderError
    """,
    Meaning.NO_ANSWER: """
        CredentialsUnreachable MetadataRetrievalError
    """,
    Meaning.SETUP: """
        BaseEndpointResolverError ConfigNotFound ConfigParseError DataNotFoundError EndpointProviderError
        EndpointResolutionError EndpointVariantError InfiniteLoopConfigError InvalidChecksumConfigError
        InvalidConfigError InvalidDefaultsMode InvalidEndpointConfigurationError
        InvalidEndpointDiscoveryConfigurationError InvalidIMDSEndpointError InvalidIMDSEndpointModeError
        InvalidMaxRetryAttemptsError InvalidProxiesConfigError InvalidRegionError InvalidRetryConfigurationError
        InvalidRetryModeError InvalidS3AddressingStyleError InvalidS3UsEast1RegionalEndpointConfigError
        InvalidSTSRegionalEndpointsConfigError MissingDependencyException NoRegionError ProfileNotFound
        UnknownEndpointError UnknownEndpointResolutionBuiltInName UnknownFIPSEndpointError UnknownRegionError
        UnknownServiceError UnknownSignatureVersionError UnsupportedServiceProtocolsError
        UnsupportedSignatureVersionError
    """,
    Meaning.DENIED: """
        403 AccessDenied AccessDeniedException AccountProblem AllAccessDisabled AuthorizationError
        AuthorizationErrorException Blocked EC2AccessDeniedException Forbidden ForbiddenException NotAuthorized
        NotAuthorizedException NotSignedUp OpsItemAccessDeniedException OptInRequired OptInRequiredException
        PendingVerification RegionDisabled RegionDisabledException SubscriptionRequired SubscriptionRequiredException
        Unauthorized UnauthorizedAccess UnauthorizedOperation
    """,
    Meaning.KEY_DENIED: """
        KMS.AccessDeniedException KMS.OptInRequired KMSAccessDenied KmsAccessDenied KMSAccessDeniedException
        KMSOptInRequired KmsOptInRequired
    """,
    Meaning.THROTTLED: """
        BandwidthLimitExceeded EC2ThrottledException KMS.ThrottlingException KmsThrottled KMSThrottling
        KMSThrottlingException LimitExceededException OverLimit PriorRequestNotComplete ProvisionedThroughputExceeded
        ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown
        Throttled ThrottledException Throttling ThrottlingError ThrottlingException TooManyRequests
        TooManyRequestsException TransactionInProgressException UnprocessedKeys
    """,
    Meaning.CONFLICT: """
        AlreadyExistsException ConcurrentModification ConcurrentModificationException ConditionalCheckFailed
        ConditionalCheckFailedException InvalidChangeSetStatus OpsItemConflictException ReplicatedWriteConflictException
        ResourceConflictException TokenAlreadyExistsException TransactionCanceledException TransactionConflict
        TransactionConflictException
    """,
    Meaning.UNAVAILABLE: """
        BadGateway ChecksumError CodeArtifactUserPendingException ConnectionClosedError ConnectionError
        DependencyTimeoutException EC2UnexpectedException EFSIOException EFSMountConnectivityException
        EFSMountTimeoutException ENILimitReachedException ENINotReadyException FlexibleChecksumError GatewayTimeout
        HTTPClientError IDPCommunicationError IncompleteReadError InternalError InternalErrorException
        InternalException InternalFailure InternalServerError InternalServerErrorException InternalServerException
        InternalServiceError InternalServiceErrorException InternalServiceException InternalServiceFault
        KeyUnavailableException KMSInternalException OperationAborted ReadTimeoutError RequestAborted
        RequestAbortedException RequestTimeout RequestTimeoutException ResourceNotReadyException
        ResponseStreamingError RestApiServerException S3FilesMountConnectivityException S3FilesMountTimeoutException
        ServerException ServiceException ServiceFailure ServiceUnavailable ServiceUnavailableException
        SnapStartNotReadyException SnapStartTimeoutException SubnetIPAddressLimitReachedException Unavailable
    """,
    Meaning.UNREACHED: """
        ConnectTimeoutError EndpointConnectionError SSLError
    """,
    Meaning.PROXY: """
        ProxyConnectionError
    """,
    Meaning.FOREIGN: """
        ResponseParserError
    """,
    Meaning.LATE: """
        SentTooLate
    """,
    Meaning.INVALID: """
        AliasConflictParameterError BadRequest BadRequestException BatchEntryIdsNotDistinct BatchRequestTooLong
        CloudTrailARNInvalidException CodeArtifactUserDeletedException CodeArtifactUserFailedException
        ConstraintViolationException DryRunOperationException DurableExecutionAlreadyStartedException
        EFSMountFailureException EmptyBatchRequest EncryptionTypeMismatch EndpointDisabled EntityTooLarge
        IdempotentParameterMismatchException IllegalArgumentException IllegalLocationConstraintException
        InsufficientCapabilitiesException InvalidAction InvalidAddress InvalidAttributeName InvalidAttributeValue
        InvalidBatchEntryId InvalidBucketName InvalidCiphertextException InvalidContentType InvalidEndpointException
        InvalidGrantTokenException InvalidIdFormat InvalidInput InvalidInputException InvalidMessageContents
        InvalidNextToken InvalidObjectState InvalidPaginationTokenException InvalidParameter InvalidParameterCombination
        InvalidParameterException InvalidParameterValue InvalidParameterValueException InvalidQueryParameter
        InvalidRequest InvalidRequestContentException InvalidRequestException InvalidRuntimeException
        InvalidSecurityGroupIDException InvalidSubnetIDException InvalidTrailNameException InvalidWriteOffset
        InvalidZipFileException ItemCollectionSizeLimitExceeded ItemCollectionSizeLimitExceededException
        MalformedHttpRequestException MalformedPolicyDocument MalformedQueryString MalformedXML MethodNotAllowed
        MissingAction MissingParameter MissingParameterException ModeNotSupportedException
        NoManagementAccountSLRExistsException NoPublishedVersionException OperationNotPermittedException
        OpsItemAlreadyExistsException OpsItemInvalidParameterException OpsItemLimitExceededException
        PackedPolicyTooLarge ParameterValueInvalid ParamValidation PermanentRedirect PlatformApplicationDisabled
        PolicyEvaluation RangeError ReceiptHandleIsInvalid RecursiveInvocationException RequestEntityTooLarge
        RequestEntityTooLargeException RequestTooLargeException RestApiClientException S3FilesMountFailureException
        SerializationException SerializedRequestEntityTooLargeException ServiceQuotaExceededException SnapStartException
        SnapStartRegenerationFailureException TooManyEntriesInBatchRequest TooManyParts UnknownKeyError UnknownOperation
        UnknownOperationException UnknownParameter UnknownParameterError UnsupportedAPIEndpointException
        UnsupportedMediaTypeException UnsupportedOperation UnsupportedOperationException UnsupportedProtocol
        ValidationError ValidationException
    """,
    Meaning.MISSING: """
        404 AWS.SimpleQueueService.NonExistentQueue AWS.SimpleQueueService.QueueDeletedRecently ChangeSetNotFound
        NoSuchBucket NoSuchEntity NoSuchResourceException NotFound NotFoundException OpsItemNotFoundException
        QueueDeletedRecently QueueDoesNotExist ResourceNotFound ResourceNotFoundException TableNotFoundException
        TrailNotFoundException
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

MEANINGS: Final[Mapping[str, Meaning]] = {code: meaning for meaning, codes in CODES.items() for code in codes.split()}
