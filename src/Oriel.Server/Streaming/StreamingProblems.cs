using Oriel.Streaming;

namespace Oriel.Server.Streaming;

/// <summary>The one place where refusals of signalling become problem documents.</summary>
internal static class StreamingProblems
{
    public static IResult Of(Signalled refused)
    {
        var (status, reason) = refused.Error switch
        {
            StreamingError.NoSuchDesktop => (StatusCodes.Status404NotFound, "no-such-desktop"),
            StreamingError.NoSuchViewer => (StatusCodes.Status404NotFound, "no-such-viewer"),
            StreamingError.NotReady => (StatusCodes.Status409Conflict, "not-ready"),
            StreamingError.DesktopGone => (StatusCodes.Status410Gone, "desktop-gone"),
            StreamingError.BadSdp => (StatusCodes.Status422UnprocessableEntity, "bad-sdp"),
            StreamingError.TooManyViewers => (StatusCodes.Status503ServiceUnavailable, "too-many-viewers"),
            _ => throw new ArgumentOutOfRangeException(nameof(refused)),
        };
        return Problem(status, reason, refused.Message);
    }

    public static IResult BadRequest(string detail) => Problem(StatusCodes.Status400BadRequest, "bad-request", detail);

    public static IResult TooLarge() =>
        Problem(StatusCodes.Status413PayloadTooLarge, "too-large", $"The body is longer than {StreamingEndpoints.MaxBodyBytes} bytes.");

    public static IResult UnsupportedType(string wanted) => Problem(StatusCodes.Status415UnsupportedMediaType, "unsupported-media-type", $"The body must be {wanted}.");

    public static IResult StaleETag() => Problem(StatusCodes.Status412PreconditionFailed, "stale-etag", "The viewer's ICE session is another one by now.");

    private static IResult Problem(int status, string reason, string detail) =>
        Results.Problem(detail, statusCode: status, extensions: [new("reason", reason)]);
}
