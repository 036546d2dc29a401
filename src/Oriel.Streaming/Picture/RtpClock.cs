using System.Security.Cryptography;

namespace Oriel.Streaming.Picture;

/// <summary>
/// Converts an agent's capture clock to RTP timestamps (90 kHz). They keep rising when the clock restarts with a new agent process. Not
/// safe for concurrent use.
/// </summary>
internal sealed class RtpClock
{
    private readonly uint _offset = (uint)RandomNumberGenerator.GetInt32(int.MaxValue);
    private long _lastCaptureUs = long.MinValue;
    private long _shiftUs;

    public uint Convert(long captureUs)
    {
        var shifted = captureUs + _shiftUs;
        if (_lastCaptureUs != long.MinValue && shifted <= _lastCaptureUs)
        {
            _shiftUs += _lastCaptureUs - shifted + 1000;
            shifted = captureUs + _shiftUs;
        }

        _lastCaptureUs = shifted;
        return _offset + unchecked((uint)(shifted * 9 / 100));
    }
}
