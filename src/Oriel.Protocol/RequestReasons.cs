namespace Oriel.Protocol;

/// <summary>Why a request is refused: <c>reason</c> of a problem, as docs/protocol.md and the page have it.</summary>
public static class RequestReasons
{
    public const string AlreadyExists = "already-exists";
    public const string BadArchive = "bad-archive";
    public const string BadRequest = "bad-request";
    public const string BadRange = "bad-range";
    public const string BadSdp = "bad-sdp";
    public const string BadToken = "bad-token";
    public const string CrossSite = "cross-site";
    public const string DesktopGone = "desktop-gone";
    public const string GuestError = "guest-error";
    public const string ImageMissing = "image-missing";
    public const string Internal = ReasonCodes.Internal;
    public const string IsolationUnavailable = "isolation-unavailable";
    public const string MethodNotAllowed = "method-not-allowed";
    public const string NoSuchDesktop = "no-such-desktop";
    public const string NoSuchFile = "no-such-file";
    public const string NoSuchProcess = "no-such-process";
    public const string NoSuchSession = "no-such-session";
    public const string NoSuchTemplate = "no-such-template";
    public const string NoSuchViewer = "no-such-viewer";
    public const string NotFound = "not-found";
    public const string NotPermitted = "not-permitted";
    public const string NotPossibleHere = "not-possible-here";
    public const string NotReady = "not-ready";
    public const string PreconditionRequired = "precondition-required";
    public const string PutUnderWay = "put-under-way";
    public const string Refused = "refused";
    public const string SignedOut = "signed-out";
    public const string StaleETag = "stale-etag";
    public const string TokenNeeded = "token-needed";
    public const string TokenUnknown = "token-unknown";
    public const string TooLarge = "too-large";
    public const string TooManyAttempts = "too-many-attempts";
    public const string TooManyCommands = "too-many-commands";
    public const string TooManyDesktops = "too-many-desktops";
    public const string TooManyViewers = "too-many-viewers";
    public const string TooManyWatches = "too-many-watches";
    public const string UnsupportedMediaType = "unsupported-media-type";
    public const string WrongHost = "wrong-host";
    public const string WrongOrigin = "wrong-origin";
    public const string WrongState = "wrong-state";
}
