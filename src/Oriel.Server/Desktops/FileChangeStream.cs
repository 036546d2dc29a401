using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>
/// What changes in a guest's directory, as server-sent events. They cannot be continued: a new watch begins with the present.
/// </summary>
internal static class FileChangeStream
{
    /// <exception cref="RpcException">The agent refuses, or does not answer in time.</exception>
    public static async Task<IResult> WriteAsync(
        AgentConnection agent,
        WatchFilesRequest request,
        HttpContext context,
        CancellationToken stopping
    )
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        using var call = agent.Guest.WatchFiles(request, cancellationToken: ended.Token);
        try
        {
            // The first message: the directory is watched.
            if (!await call.ResponseStream.MoveNext(ended.Token).WaitAsync(agent.Patience.Answer, ended.Token))
            {
                return Problems.Of(StatusCodes.Status502BadGateway, RequestReasons.GuestError, "The guest watches nothing.");
            }
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.ResourceExhausted)
        {
            return Problems.Of(StatusCodes.Status429TooManyRequests, RequestReasons.TooManyWatches, e.Status.Detail);
        }
        catch (TimeoutException)
        {
            throw new RpcException(new Status(StatusCode.DeadlineExceeded, ""));
        }
        catch (OperationCanceledException)
        {
            return Results.Empty;
        }

        ServerSentEvents.Begin(context.Response);
        if (context.WantsHeadOnly())
        {
            return Results.Empty;
        }

        try
        {
            await ServerSentEvents.WriteAsync(context.Response, ReadAsync(call.ResponseStream, ended.Token), ended.Token);
        }
        catch (OperationCanceledException)
        {
            // The reader went, or the server stops.
        }

        return Results.Empty;
    }

    private static async IAsyncEnumerable<string> ReadAsync(
        IAsyncStreamReader<FileChange> changes,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        WatchEndEvent? end = null;
        while (end is null)
        {
            if (NameOf(changes.Current) is { } name)
            {
                var change = changes.Current;
                yield return Text(
                    name,
                    new FileChangeEvent(change.Path, change.From.Length > 0 ? change.From : null, change.IsDirectory),
                    DesktopsApiJsonContext.Default.FileChangeEvent
                );
            }

            try
            {
                end = await changes.MoveNext(cancellationToken) ? null : new WatchEndEvent(null, null);
            }
            catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
            {
                var (_, reason, detail) = GuestEndpoints.Of(e);
                end = new WatchEndEvent(reason, detail);
            }

            // Changes that are there already would keep the thread.
            await Task.Yield();
        }

        yield return Text("end", end, DesktopsApiJsonContext.Default.WatchEndEvent);
    }

    private static string? NameOf(FileChange change) =>
        change.Kind switch
        {
            FileChangeKind.Watching => "watching",
            FileChangeKind.Created => "created",
            FileChangeKind.Modified => "modified",
            FileChangeKind.Removed => "removed",
            FileChangeKind.Moved => "moved",
            FileChangeKind.Overflow => "overflow",
            _ => null,
        };

    private static string Text<T>(string name, T data, JsonTypeInfo<T> type) =>
        $"event: {name}\ndata: {JsonSerializer.Serialize(data, type)}\n\n";
}
