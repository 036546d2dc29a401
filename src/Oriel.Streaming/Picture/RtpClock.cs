using System.Security.Cryptography;

namespace Oriel.Streaming.Picture;

/// <summary>
/// RTP timestamps (90 kHz) of an agent's capture clock. They go on rising when the clock begins anew with another agent process.
/// Not safe for concurrent use.
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
