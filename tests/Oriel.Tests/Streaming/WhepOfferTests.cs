using Oriel.Tests.Server;

namespace Oriel.Tests.Streaming;

/// <summary>Offers of players that share no code, as tests/record-offers.mjs recorded them, to the whole server.</summary>
public sealed class WhepOfferTests(RouteTableServer table) : IClassFixture<RouteTableServer>, IAsyncDisposable
{
    private readonly WhepClient _client = new(table);

    public static TheoryData<string> Names => new(WhepClient.Offers);

    public async ValueTask DisposeAsync() => await table.RequireUnharmedAsync();

    [Fact]
    public void Offers_OfThreePlayers_AreThere()
    {
        var names = WhepClient.Offers.ToList();
        string[] browsers =
        [
            .. from browser in (string[])["chromium", "firefox"]
            from policy in (string[])["balanced", "max-bundle", "max-compat"]
            from first in (string[])["audio", "data", "video"]
            select $"{browser}-{policy}-{first}",
        ];
        Assert.Empty(browsers.Except(names));
        Assert.Contains("webrtcbin-max-bundle-audio", names);
        Assert.Contains("webrtcbin-none-video", names);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Offer_OfAPlayer_IsAnsweredByTheRules(string name)
    {
        var offer = WhepClient.Recorded(name);
        var (head, media) = SdpSection.Read(offer);
        var answer = await _client.PostAsync(offer);
        if (head.Bundle.Length == 0 && media.Any(m => !m.IsRtp))
        {
            // One port serves a viewer, so video and data channels that share no transport cannot both be had.
            Assert.Equal((422, "bad-sdp"), (answer.Status, answer.Reason));
            return;
        }

        Assert.True(answer.Status == 201, $"{answer.Status} {answer.Text}");
        WhepAnswers.Require(offer, answer.Text);
        Assert.Equal(200, (await _client.AskAsync("DELETE", answer.Field("Location")!)).Status);
    }
}
