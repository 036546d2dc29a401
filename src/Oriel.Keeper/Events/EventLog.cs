using System.Threading.Channels;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Events;

/// <summary>
/// Everything that has happened to this desktop: kept to be replayed to each server that connects, then followed live. What may happen
/// again and again is bounded: of the console's lines the last ones are kept, of the machine's state the last one.
/// </summary>
internal sealed class EventLog(TimeProvider clock)
{
    public const int ConsoleLinesKept = 200;

    /// <summary>A subscriber that lags this far behind is cut off; it connects again and gets the replay.</summary>
    public const int SubscriberBacklog = 2048;

    private readonly Lock _lock = new();
    private readonly List<KeeperEvent> _kept = [];
    private readonly List<Channel<KeeperMessage>> _subscribers = [];
    private int _consoleLines;
    private bool _ended;

    /// <param name="happened">Gets its time, microseconds since 1970.</param>
    public void Publish(Func<long, KeeperEvent> happened) => Publish(happened(Now()));

    /// <summary>The last event; subscribers are completed after it.</summary>
    public KeeperExit End(string reason, string? detail)
    {
        var last = new KeeperExit(Now(), reason, detail);
        Publish(last);
        lock (_lock)
        {
            _ended = true;
            _subscribers.ForEach(subscriber => subscriber.Writer.TryComplete());
            _subscribers.Clear();
        }

        return last;
    }

    /// <summary>
    /// The events so far, and each from now on. Who writes to it answers that subscriber alone, in order with its events.
    /// </summary>
    public Channel<KeeperMessage> Subscribe()
    {
        lock (_lock)
        {
            // Wait, and TryWrite that fails: a full channel must be seen, never drop a step silently.
            var channel = Channel.CreateBounded<KeeperMessage>(
                new BoundedChannelOptions(_kept.Count + SubscriberBacklog) { SingleReader = true }
            );
            _kept.ForEach(kept => channel.Writer.TryWrite(kept));
            if (_ended)
            {
                channel.Writer.TryComplete();
            }
            else
            {
                _subscribers.Add(channel);
            }

            return channel;
        }
    }

    public void Unsubscribe(Channel<KeeperMessage> subscriber)
    {
        lock (_lock)
        {
            _subscribers.Remove(subscriber);
        }
    }

    public IReadOnlyList<string> LastConsoleLines(int count)
    {
        lock (_lock)
        {
            return _kept.OfType<ConsoleLine>().Select(kept => kept.Line).TakeLast(count).ToList();
        }
    }

    private void Publish(KeeperEvent happened)
    {
        lock (_lock)
        {
            if (_ended)
            {
                return;
            }

            Keep(happened);
            for (var i = _subscribers.Count - 1; i >= 0; i--)
            {
                if (!_subscribers[i].Writer.TryWrite(happened))
                {
                    _subscribers[i].Writer.TryComplete();
                    _subscribers.RemoveAt(i);
                }
            }
        }
    }

    private void Keep(KeeperEvent happened)
    {
        switch (happened)
        {
            case KeeperCounters:
                return;
            case MachineReport:
                _kept.RemoveAll(kept => kept is MachineReport);
                break;
            case ConsoleLine when ++_consoleLines > ConsoleLinesKept:
                _kept.RemoveAt(_kept.FindIndex(kept => kept is ConsoleLine));
                _consoleLines--;
                break;
        }

        _kept.Add(happened);
    }

    private long Now() => (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
