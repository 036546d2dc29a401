namespace Oriel.WebRtc.Tests.Relay;

/// <summary>One direction of a path.</summary>
/// <param name="Loss">Share of packets lost at random, 0 to 1.</param>
/// <param name="BitsPerSecond">0: as fast as it goes.</param>
/// <param name="Delay">Of propagation, one way.</param>
/// <param name="QueueBytes">What waits for the link; more is dropped. Default 128 KiB.</param>
public sealed record LinkOptions(double Loss = 0, double BitsPerSecond = 0, TimeSpan Delay = default, int QueueBytes = 128 * 1024);
