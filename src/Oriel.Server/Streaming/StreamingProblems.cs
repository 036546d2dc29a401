using Oriel.Protocol;
using Oriel.Streaming.Settings;

namespace Oriel.Server.Streaming;

/// <summary>The one place where refusals of signalling become problem documents.</summary>
internal static class StreamingProblems
{
    public static IResult Of(Signalled refused)
    {
        var (status, reason) = refused.Error switch
        {
            StreamingError.NoSuchDesktop => (StatusCodes.Status404NotFound, RequestReasons.NoSuchDesktop),
            StreamingError.NoSuchViewer => (StatusCodes.Status404NotFound, RequestReasons.NoSuchViewer),
            StreamingError.NotReady => (StatusCodes.Status409Conflict, RequestReasons.NotReady),
            StreamingError.DesktopGone => (StatusCodes.Status410Gone, RequestReasons.DesktopGone),
            StreamingError.BadSdp => (StatusCodes.Status422UnprocessableEntity, RequestReasons.BadSdp),
            StreamingError.TooManyViewers => (StatusCodes.Status503ServiceUnavailable, RequestReasons.TooManyViewers),
            _ => throw new ArgumentOutOfRangeException(nameof(refused)),
        };
        return Problem(status, reason, refused.Message);
    }

    public static IResult BadRequest(string detail) => Problem(StatusCodes.Status400BadRequest, RequestReasons.BadRequest, detail);

    public static IResult UnsupportedType(string wanted) =>
        Problem(StatusCodes.Status415UnsupportedMediaType, RequestReasons.UnsupportedMediaType, $"The body must be {wanted}.");

    public static IResult StaleETag() =>
        Problem(StatusCodes.Status412PreconditionFailed, RequestReasons.StaleETag, "The viewer's ICE session has changed since.");

    public static IResult NoIfMatch() =>
        Problem(
            StatusCodes.Status428PreconditionRequired,
            RequestReasons.PreconditionRequired,
            "If-Match must name the viewer's ETag, or be * to restart ICE whatever it is."
        );

    private static IResult Problem(int status, string reason, string detail) =>
        Results.Problem(detail, statusCode: status, extensions: [new("reason", reason)]);
}
