using System.Buffers;
using Microsoft.Extensions.Logging;

namespace Oriel.WebRtc.Sctp;

/// <summary>
/// Sends an association's packets and raises its events: in order, on one thread at a time and outside the association's lock. A handler
/// that calls back into the association only adds to the queue.
/// </summary>
internal sealed class EffectQueue(Action<ReadOnlyMemory<byte>> sendPacket, ILogger logger)
{
    private readonly record struct Effect(byte[]? Packet, int Length, Action? Call);

    private readonly Lock _lock = new();
    private readonly Queue<Effect> _queue = new();
    private bool _draining;

    /// <summary>Takes ownership of a pooled array.</summary>
    public void AddPacket(byte[] packet, int length) => Add(new Effect(packet, length, null));

    public void AddCall(Action call) => Add(new Effect(null, 0, call));

    public void Drain()
    {
        lock (_lock)
        {
            if (_draining)
            {
                return;
            }

            _draining = true;
        }

        while (true)
        {
            Effect effect;
            lock (_lock)
            {
                if (!_queue.TryDequeue(out effect))
                {
                    _draining = false;
                    return;
                }
            }

            Perform(effect);
        }
    }

    private void Perform(Effect effect)
    {
        try
        {
            if (effect.Packet is { } packet)
            {
                sendPacket(packet.AsMemory(0, effect.Length));
            }
            else
            {
                effect.Call!();
            }
        }
        // A fault in a handler must not end the association's thread.
        catch (Exception e)
        {
            logger.LogError(e, "A data channel handler or the packet sender failed.");
        }
        finally
        {
            if (effect.Packet is { } packet)
            {
                ArrayPool<byte>.Shared.Return(packet);
            }
        }
    }

    private void Add(Effect effect)
    {
        lock (_lock)
        {
            _queue.Enqueue(effect);
        }
    }
}
