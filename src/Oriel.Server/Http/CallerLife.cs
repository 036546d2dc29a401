namespace Oriel.Server.Http;

/// <summary>How long that holds which a request came by: a session, or the API token. A feature of the request, set by the guard.</summary>
internal interface ICallerLife
{
    /// <summary>
    /// Cancelled when it ends. The request's own RequestAborted is cancelled with it, so this is for what outlives the request.
    /// </summary>
    CancellationToken Ended { get; }
}

internal static class CallerLife
{
    /// <summary>None where no guard stands before the endpoint.</summary>
    public static CancellationToken CallerEnded(this HttpContext context) =>
        context.Features.Get<ICallerLife>()?.Ended ?? CancellationToken.None;
}
