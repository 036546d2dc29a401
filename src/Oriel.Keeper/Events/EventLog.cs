using System.Threading.Channels;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Events;

/// <summary>
/// Everything that has happened to this desktop: kept to be replayed to each server that connects, then followed live. Steps are kept
/// for good (there are few), of the console's lines only the last ones.
/// </summary>
internal sealed class EventLog(TimeProvider clock)
{
    public const int ConsoleLinesKept = 200;

    /// <summary>A subscriber that lags this far behind is cut off; it connects again and gets the replay.</summary>
    public const int SubscriberBacklog = 2048;

    private readonly Lock _gate = new();
    private readonly List<KeeperEvent> _kept = [];
    private readonly List<Channel<KeeperEvent>> _subscribers = [];
    private int _consoleLines;
    private bool _ended;

    public void Publish(string type, string? name = null, string? state = null, long elapsedUs = 0, string? detail = null, long value = 0) =>
        Publish(new KeeperEvent(type, Now(), name, state, elapsedUs, detail, value));

    /// <summary>The last event; subscribers are completed after it.</summary>
    public KeeperEvent End(string reason, string? detail)
    {
        var last = new KeeperEvent("exited", Now(), reason, Detail: detail);
        Publish(last);
        lock (_gate)
        {
            _ended = true;
            _subscribers.ForEach(subscriber => subscriber.Writer.TryComplete());
            _subscribers.Clear();
        }

        return last;
    }

    public ChannelReader<KeeperEvent> Subscribe()
    {
        lock (_gate)
        {
            // Wait, and TryWrite that fails: a full channel must be seen, never drop a step silently.
            var channel = Channel.CreateBounded<KeeperEvent>(new BoundedChannelOptions(_kept.Count + SubscriberBacklog) { SingleReader = true });
            _kept.ForEach(kept => channel.Writer.TryWrite(kept));
            if (_ended)
            {
                channel.Writer.TryComplete();
            }
            else
            {
                _subscribers.Add(channel);
            }

            return channel.Reader;
        }
    }

    public void Unsubscribe(ChannelReader<KeeperEvent> reader)
    {
        lock (_gate)
        {
            _subscribers.RemoveAll(subscriber => subscriber.Reader == reader);
        }
    }

    public IReadOnlyList<string> LastConsoleLines(int count)
    {
        lock (_gate)
        {
            return _kept.Where(kept => kept.Type == "console").Select(kept => kept.Detail ?? "").TakeLast(count).ToList();
        }
    }

    private void Publish(KeeperEvent happened)
    {
        lock (_gate)
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
        switch (happened.Type)
        {
            case "counter":
                return;
            case "halt":
                _kept.RemoveAll(kept => kept.Type == "halt");
                break;
            case "console" when ++_consoleLines > ConsoleLinesKept:
                _kept.RemoveAt(_kept.FindIndex(kept => kept.Type == "console"));
                _consoleLines--;
                break;
        }

        _kept.Add(happened);
    }

    private long Now() => (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
