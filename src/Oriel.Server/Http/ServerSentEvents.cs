namespace Oriel.Server.Http;

/// <summary>Server-sent events (WHATWG HTML, section 9.2), for as long as there are any.</summary>
internal static class ServerSentEvents
{
    public const string MediaType = "text/event-stream";

    /// <summary>A comment goes out this often, so that proxies and the client see a living connection.</summary>
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    /// <summary>The answer's fields, before the first event.</summary>
    public static void Begin(HttpResponse response)
    {
        response.ContentType = MediaType;
        response.Headers["X-Accel-Buffering"] = "no";
    }

    /// <param name="events">Each with the empty line that ends it. They end with the token as well.</param>
    /// <exception cref="OperationCanceledException"/>
    public static async Task WriteAsync(HttpResponse response, IAsyncEnumerable<string> events, CancellationToken cancellationToken)
    {
        await response.WriteAsync("retry: 1000\n\n", cancellationToken);
        await response.Body.FlushAsync(cancellationToken);
        await using var items = events.GetAsyncEnumerator(cancellationToken);
        var next = items.MoveNextAsync().AsTask();
        try
        {
            while (true)
            {
                if (!next.IsCompleted)
                {
                    await response.Body.FlushAsync(cancellationToken);
                    if (await Task.WhenAny(next, Task.Delay(KeepAlive, cancellationToken)) != next)
                    {
                        await response.WriteAsync(": still here\n\n", cancellationToken);
                        continue;
                    }
                }

                if (!await next)
                {
                    return;
                }

                await response.WriteAsync(items.Current, cancellationToken);
                next = items.MoveNextAsync().AsTask();
            }
        }
        finally
        {
            // An iterator must not be disposed while it moves; the token that ended us ends it as well.
            await next.ContinueWith(
                static _ => { },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default
            );
        }
    }
}
