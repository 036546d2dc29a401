namespace Oriel.Streaming.Settings;

/// <summary>Why signalling was refused; the caller's fault or the desktop's state, never a bug.</summary>
public enum StreamingError
{
    NoSuchDesktop,
    NotReady,
    DesktopGone,
    BadSdp,
    TooManyViewers,
    NoSuchViewer,
    StaleETag,
}

/// <summary>The outcome of a signalling request: an error with its text, or what the page needs.</summary>
/// <param name="Sdp">The answer, the offer, or the fragment of an ICE restart; null where there is none to send.</param>
public sealed record Signalled(
    StreamingError? Error,
    string Message,
    string Viewer,
    string? Sdp,
    IReadOnlyList<string> Candidates,
    string ETag
)
{
    public static Signalled Refused(StreamingError error, string message) => new(error, message, "", null, [], "");
}
