using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Oriel.Desktops.Events;

/// <summary>
/// The events of one desktop: a bounded past and any number of live readers. State and step events are kept apart from the noisy
/// ones, so that a chatty guest cannot push the story of its creation out. Safe for concurrent use.
/// </summary>
public sealed class DesktopEventLog(TimeProvider clock, long firstSequence = 1)
{
    /// <summary>Kept of state, step and end events.</summary>
    public const int KeptLifeEvents = 512;

    /// <summary>Kept of log, egress, viewer and warning events.</summary>
    public const int KeptOtherEvents = 1024;

    /// <summary>Unread events of one reader; one that lags further is cut off and may come again with its last id.</summary>
    private const int ReaderCapacity = 4096;

    private readonly Lock _lock = new();
    private readonly Queue<DesktopEvent> _life = new();
    private readonly Queue<DesktopEvent> _other = new();
    private readonly HashSet<Channel<DesktopEvent>> _readers = [];
    private long _next = firstSequence;
    private bool _ended;

    public long NextSequence
    {
        get
        {
            lock (_lock)
            {
                return _next;
            }
        }
    }

    public DesktopEvent Publish(string type, DesktopEventData data)
    {
        lock (_lock)
        {
            var item = new DesktopEvent(_next++, type, clock.GetUtcNow(), data);
            if (_ended)
            {
                return item;
            }

            Keep(item);
            foreach (var reader in _readers)
            {
                if (!reader.Writer.TryWrite(item))
                {
                    reader.Writer.TryComplete();
                }
            }

            if (type == "end")
            {
                _ended = true;
                foreach (var reader in _readers)
                {
                    reader.Writer.TryComplete();
                }
            }

            return item;
        }
    }

    /// <summary>Drops the state and step events so far: they are of a time before the desktop was anybody's.</summary>
    public void ForgetLife()
    {
        lock (_lock)
        {
            _life.Clear();
        }
    }

    /// <summary>Puts back events that an earlier server stored. Only before anything was published.</summary>
    public void Restore(IEnumerable<DesktopEvent> events)
    {
        lock (_lock)
        {
            foreach (var item in events)
            {
                Keep(item);
                _next = Math.Max(_next, item.Sequence + 1);
                _ended |= item.Type == "end";
            }
        }
    }

    /// <summary>
    /// The kept events behind <paramref name="after"/>, then each new one; ends after <c>end</c>. An id that was never given out
    /// replays everything.
    /// </summary>
    public async IAsyncEnumerable<DesktopEvent> ReadAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var channel = Channel.CreateBounded<DesktopEvent>(new BoundedChannelOptions(ReaderCapacity) { SingleReader = true });
        DesktopEvent[] past;
        lock (_lock)
        {
            var from = after >= _next ? 0 : after;
            past = [.. _life.Concat(_other).Where(e => e.Sequence > from).OrderBy(e => e.Sequence)];
            if (_ended)
            {
                channel.Writer.Complete();
            }
            else
            {
                _readers.Add(channel);
            }
        }

        try
        {
            foreach (var item in past)
            {
                yield return item;
            }

            await foreach (var item in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return item;
            }
        }
        finally
        {
            lock (_lock)
            {
                _readers.Remove(channel);
            }
        }
    }

    /// <summary>The last lines of the guest's console and the keeper, oldest first.</summary>
    public IReadOnlyList<string> LastLog(int count)
    {
        lock (_lock)
        {
            return [.. _other.Select(e => e.Data).OfType<LogEvent>().TakeLast(count).Select(e => e.Line)];
        }
    }

    private void Keep(DesktopEvent item)
    {
        var (queue, most) = item.Data is StateEvent or StepEvent or EndEvent ? (_life, KeptLifeEvents) : (_other, KeptOtherEvents);
        queue.Enqueue(item);
        if (queue.Count > most)
        {
            queue.Dequeue();
        }
    }
}
