using System.Net;
using System.Net.Sockets;

namespace Oriel.Egress.Dialing;

/// <summary>
/// Looks names up by the host's own resolver, which blocks (getaddrinfo(3)): on threads of its own, so that no guest's slow names hold up
/// the pool that everything else runs on. A desktop has few look-ups in flight, and desktops take turns. Safe for concurrent use.
/// </summary>
/// <param name="resolve">Null = the host's resolver.</param>
internal sealed class NameLookups(Func<string, IPAddress[]>? resolve = null) : IDisposable
{
    /// <summary>Look-ups of one desktop at the same time; the others wait.</summary>
    public const int MaxOfADesktop = 4;

    /// <summary>Look-ups of all desktops at the same time.</summary>
    public const int MaxThreads = 32;

    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(10);

    private readonly object _gate = new();
    private readonly Dictionary<string, Desktop> _desktops = [];
    private readonly Queue<Desktop> _turns = new();
    private int _threads;
    private int _idle;
    private bool _isClosed;

    /// <exception cref="SocketException">The name does not resolve.</exception>
    /// <exception cref="ArgumentException">It is no name.</exception>
    public Task<IPAddress[]> ResolveAsync(string desktop, string host, CancellationToken cancellationToken)
    {
        var lookup = new Lookup(host, cancellationToken);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            if (!_desktops.TryGetValue(desktop, out var waiting))
            {
                _desktops[desktop] = waiting = new Desktop(desktop);
            }

            waiting.Lookups.Enqueue(lookup);
            TakeTurn(waiting);
            if (_idle > 0)
            {
                Monitor.Pulse(_gate);
            }
            else if (_threads < MaxThreads)
            {
                _threads++;
                new Thread(Work) { IsBackground = true, Name = "egress-names" }.Start();
            }
        }

        return lookup.Answer.Task.WaitAsync(cancellationToken);
    }

    /// <summary>What waits is given up; what runs ends by itself.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            foreach (var lookup in _desktops.Values.SelectMany(desktop => desktop.Lookups))
            {
                lookup.Answer.TrySetCanceled();
            }

            _turns.Clear();
            Monitor.PulseAll(_gate);
        }
    }

    private void Work()
    {
        while (Next() is var (desktop, lookup))
        {
            try
            {
                if (!lookup.IsGivenUp.IsCancellationRequested)
                {
                    lookup.Answer.TrySetResult((resolve ?? Dns.GetHostAddresses)(lookup.Host));
                }
            }
            catch (Exception e)
            {
                lookup.Answer.TrySetException(e);
            }

            Done(desktop);
        }
    }

    private (Desktop Desktop, Lookup Lookup)? Next()
    {
        lock (_gate)
        {
            while (!_isClosed)
            {
                if (_turns.TryDequeue(out var desktop))
                {
                    desktop.HasTurn = false;
                    desktop.Running++;
                    var lookup = desktop.Lookups.Dequeue();
                    TakeTurn(desktop);
                    return (desktop, lookup);
                }

                _idle++;
                var isWoken = Monitor.Wait(_gate, Linger);
                _idle--;
                if (!isWoken && _turns.Count == 0)
                {
                    break;
                }
            }

            _threads--;
            return null;
        }
    }

    private void Done(Desktop desktop)
    {
        lock (_gate)
        {
            desktop.Running--;
            TakeTurn(desktop);
            if (desktop is { Running: 0, Lookups.Count: 0 })
            {
                _desktops.Remove(desktop.Id);
            }
        }
    }

    /// <summary>Under the gate: queues the desktop for its next look-up, once, where it may have one.</summary>
    private void TakeTurn(Desktop desktop)
    {
        if (!_isClosed && !desktop.HasTurn && desktop.Lookups.Count > 0 && desktop.Running < MaxOfADesktop)
        {
            desktop.HasTurn = true;
            _turns.Enqueue(desktop);
        }
    }

    private sealed class Desktop(string id)
    {
        public string Id => id;
        public Queue<Lookup> Lookups { get; } = new();
        public int Running { get; set; }
        public bool HasTurn { get; set; }
    }

    private sealed record Lookup(string Host, CancellationToken IsGivenUp)
    {
        public TaskCompletionSource<IPAddress[]> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
