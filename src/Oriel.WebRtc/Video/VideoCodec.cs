namespace Oriel.WebRtc.Video;

public enum VideoCodec
{
    Vp8,
    H264,
}
