using System.Globalization;
using Oriel.Protocol;
using Oriel.Streaming.Settings;

namespace Oriel.Server.Streaming;

/// <summary>The one place where refusals of signalling become problem documents.</summary>
internal static class StreamingProblems
{
    /// <summary>When to ask again for a desktop that is being made.</summary>
    private const int SoonSeconds = 2;

    /// <summary>When to ask again for a place among the viewers.</summary>
    private const int ViewerSeconds = 10;

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
            StreamingError.StaleETag => (StatusCodes.Status412PreconditionFailed, RequestReasons.StaleETag),
            _ => throw new ArgumentOutOfRangeException(nameof(refused)),
        };
        var problem = Problem(status, reason, refused.Message);
        return refused.Error switch
        {
            StreamingError.NotReady => new Later(problem, SoonSeconds),
            StreamingError.TooManyViewers => new Later(problem, ViewerSeconds),
            _ => problem,
        };
    }

    public static IResult BadRequest(string detail) => Problem(StatusCodes.Status400BadRequest, RequestReasons.BadRequest, detail);

    public static IResult UnsupportedType(string wanted) =>
        Problem(StatusCodes.Status415UnsupportedMediaType, RequestReasons.UnsupportedMediaType, $"The body must be {wanted}.");

    public static IResult NoIfMatch() =>
        Problem(
            StatusCodes.Status428PreconditionRequired,
            RequestReasons.PreconditionRequired,
            "If-Match must name the viewer's ETag, or be * to restart ICE whatever it is."
        );

    private static IResult Problem(int status, string reason, string detail) =>
        Results.Problem(detail, statusCode: status, extensions: [new("reason", reason)]);

    /// <summary>A refusal that says when to ask again.</summary>
    private sealed class Later(IResult problem, int seconds) : IResult
    {
        public Task ExecuteAsync(HttpContext context)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            return problem.ExecuteAsync(context);
        }
    }
}
