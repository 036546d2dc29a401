namespace Oriel.Tests.Streaming;

/// <summary>What an answer must be, whatever was offered: RFC 9725 section 4.4, RFC 9429 section 5.3.1, RFC 9143 section 7.3.</summary>
internal static class WhepAnswers
{
    public static void Require(string offer, string answer)
    {
        var (offeredHead, offered) = SdpSection.Read(offer);
        var (head, media) = SdpSection.Read(answer);

        // One section for each that was offered, in the same order.
        Assert.Equal(offered.Select(m => (m.Kind, m.Protocol, m.Mid)), media.Select(m => (m.Kind, m.Protocol, m.Mid)));
        SdpSection[] taken = [.. media.Where(m => m.Port != 0)];

        // The group is what is taken of the offered one, in its order; nothing outside of it is taken, unless there is no group at all.
        Assert.Equal(offeredHead.Bundle.Where(mid => taken.Any(m => m.Mid == mid)), head.Bundle);
        Assert.True(offeredHead.Bundle.Length == 0 ? taken.Length == 1 : taken.All(m => head.Bundle.Contains(m.Mid)));
        Assert.True(head.Has("ice-lite"));
        Assert.Equal("trickle ice2", head.Find("ice-options"));

        var tagged = head.Bundle.Length > 0 ? media.Single(m => m.Mid == head.Bundle[0]) : taken[0];
        Assert.NotEmpty(tagged.All("candidate"));
        Assert.All(media, m => Assert.Equal(m == tagged, m.Has("candidate") || m.Has("end-of-candidates")));
        foreach (var (section, asked) in media.Zip(offered))
        {
            // Refused ones too: webrtcbin takes no answer otherwise.
            RequireTransport(section, tagged);
            if (section.Port == 0)
            {
                Assert.Equal("inactive", section.Direction);
                continue;
            }

            Assert.NotEmpty(section.Formats);
            Assert.Subset(asked.Formats.ToHashSet(), section.Formats.ToHashSet());
            if (section.IsRtp)
            {
                RequireRtp(section, asked);
            }
        }

        var video = Assert.Single(media, m => m.Direction == "sendonly");
        Assert.Equal("video", video.Kind);
        RequireVideo(video);
    }

    private static void RequireTransport(SdpSection section, SdpSection tagged)
    {
        Assert.Equal("passive", section.Find("setup"));
        foreach (var shared in (string[])["ice-ufrag", "ice-pwd", "fingerprint"])
        {
            Assert.NotNull(section.Find(shared));
            Assert.Equal(tagged.Find(shared), section.Find(shared));
        }
    }

    private static void RequireRtp(SdpSection section, SdpSection asked)
    {
        Assert.Contains(section.Direction, new[] { "sendonly", "inactive" });
        Assert.True(section.Has("rtcp-mux") && section.Has("rtcp-mux-only"));
        Assert.True(!section.Has("rtcp-rsize") || asked.Has("rtcp-rsize"));
        Assert.Subset(asked.All("rtpmap").ToHashSet(), section.All("rtpmap").ToHashSet());
        Assert.Subset(asked.All("rtcp-fb").ToHashSet(), section.All("rtcp-fb").ToHashSet());
        Assert.Subset(asked.All("extmap").Select(Plain).ToHashSet(), section.All("extmap").ToHashSet());

        // What a direction narrows is as it is without one: a stream that is sent only.
        static string Plain(string extension) => extension.Replace("/recvonly", "", StringComparison.Ordinal);
    }

    private static void RequireVideo(SdpSection video)
    {
        Assert.NotNull(video.Find("msid"));
        var codec = video.Formats[0];
        Assert.Contains(video.All("rtpmap"), line => line == $"{codec} VP8/90000" || line == $"{codec} H264/90000");
        foreach (var other in video.Formats[1..])
        {
            Assert.Contains($"{other} rtx/90000", video.All("rtpmap"));
            Assert.Contains($"{other} apt={codec}", video.All("fmtp"));
        }
    }
}
