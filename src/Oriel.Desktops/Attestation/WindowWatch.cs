using Grpc.Core;
using Oriel.Agents;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Steps;
using Oriel.Protocol;
using Oriel.Protocol.Display;

namespace Oriel.Desktops.Attestation;

/// <summary>Follows the windows of a desktop for those who wait for one.</summary>
internal sealed class WindowWatch(AgentConnection agent) : IAsyncDisposable
{
    private const int MaxTitle = 100;

    private readonly Lock _lock = new();
    private readonly List<(Func<Window, bool> Wanted, Action<string> Seen, TaskCompletionSource<Window> Found)> _waiting = [];
    private IReadOnlyList<Window> _windows = [];
    private bool _seenAny;

    /// <summary>Those that are there now.</summary>
    /// <exception cref="RpcException">The agent does not answer.</exception>
    public static async Task<IReadOnlyList<Window>> ReadAsync(AgentConnection agent, CancellationToken cancellationToken)
    {
        using var call = agent.Display.Watch(new WatchRequest(), cancellationToken: cancellationToken);
        await foreach (var item in call.ResponseStream.ReadFairlyAsync(cancellationToken))
        {
            if (item.KindCase == DisplayEvent.KindOneofCase.Windows)
            {
                return item.Windows.Windows;
            }
        }

        return [];
    }

    /// <summary>Follows until cancelled.</summary>
    /// <exception cref="StepFailedException">The agent ended the stream.</exception>
    public async Task FollowAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var call = agent.Display.Watch(new WatchRequest(), cancellationToken: cancellationToken);
            await foreach (var item in call.ResponseStream.ReadFairlyAsync(cancellationToken))
            {
                if (item.KindCase == DisplayEvent.KindOneofCase.Windows)
                {
                    Changed(item.Windows.Windows);
                }
            }

            throw new StepFailedException(
                new DesktopReason(ReasonCodes.StepFailed, null, "The agent ended the watch on windows.", Describe(), [])
            );
        }
        catch (RpcException) when (cancellationToken.IsCancellationRequested)
        {
            // Nobody waits any more.
        }
        catch (RpcException e)
        {
            throw new StepFailedException(
                new DesktopReason(
                    ReasonCodes.StepFailed,
                    null,
                    $"The watch on windows broke: {e.StatusCode}: {e.Status.Detail}",
                    Describe(),
                    []
                ),
                e
            );
        }
    }

    /// <summary>The first mapped window that fits.</summary>
    public async Task<Window> AwaitAsync(Func<Window, bool> wanted, Action<string> seen, CancellationToken cancellationToken)
    {
        var found = new TaskCompletionSource<Window>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_windows.FirstOrDefault(w => w.Mapped && wanted(w)) is { } there)
            {
                return there;
            }

            _waiting.Add((wanted, seen, found));
            seen(Describe());
        }

        return await found.Task.WaitAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _waiting.ForEach(w => w.Found.TrySetCanceled());
            _waiting.Clear();
        }

        return ValueTask.CompletedTask;
    }

    private void Changed(IReadOnlyList<Window> windows)
    {
        lock (_lock)
        {
            _windows = windows;
            _seenAny = true;
            foreach (var waiting in _waiting.ToArray())
            {
                waiting.Seen(Describe());
                if (windows.FirstOrDefault(w => w.Mapped && waiting.Wanted(w)) is { } window)
                {
                    waiting.Found.TrySetResult(window);
                    _waiting.Remove(waiting);
                }
            }
        }
    }

    private string Describe()
    {
        if (!_seenAny)
        {
            return "no word about windows yet";
        }

        var mapped = _windows
            .Where(w => w.Mapped)
            .Select(w => $"'{ForeignWords.Of(w.Title, MaxTitle)}' ({ForeignWords.Of(w.WindowClass, MaxTitle)})")
            .Take(10)
            .ToList();
        return mapped.Count == 0 ? "no mapped window" : "mapped: " + string.Join(", ", mapped);
    }
}
