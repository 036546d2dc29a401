using Microsoft.AspNetCore.Http.Features;
using Oriel.Server.Http;

namespace Oriel.Server.Auth;

/// <summary>What one request came by: the API token, or a session.</summary>
internal sealed class Caller(TokenEra era, SessionLife? session) : ICallerLife
{
    private CancellationToken _connection;
    private bool _outlives;

    /// <summary>Null of the API token.</summary>
    public string? SessionId => session?.Id;

    public CancellationToken Ended => session?.Ended ?? era.Ended;

    /// <summary>Whether the request is over because its caller is, not because its client left.</summary>
    public bool IsCut => Ended.IsCancellationRequested && !_outlives && !_connection.IsCancellationRequested;

    public static Caller Of(HttpContext context) => (Caller)context.Features.GetRequiredFeature<ICallerLife>();

    public bool IsPageSecret(string cookie, string candidate) => era.IsPageSecret(cookie, candidate);

    /// <summary>Runs what handles a request. Its RequestAborted is cancelled with the connection and with this caller.</summary>
    public async Task RunAsync(HttpContext context, RequestDelegate handler)
    {
        _connection = context.RequestAborted;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_connection, Ended);
        context.RequestAborted = either.Token;
        context.Features.Set<ICallerLife>(this);
        session?.Open();
        try
        {
            await handler(context);
        }
        catch (OperationCanceledException) when (IsCut)
        {
            // What is left to say is the guard's.
        }
        finally
        {
            session?.Close();
            context.RequestAborted = _connection;
        }
    }

    /// <summary>For a request that ends its own caller: it is answered all the same.</summary>
    public void Outlive(HttpContext context)
    {
        _outlives = true;
        context.RequestAborted = _connection;
    }
}
