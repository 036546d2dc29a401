using System.Text.RegularExpressions;
using Oriel.Streaming.Agents;
using Oriel.Tests.Server;

namespace Oriel.Tests.Streaming;

/// <summary>
/// What RFC 9725 (WHIP) and draft-ietf-wish-whep-03 demand of the endpoint and of its sessions, one row for each, named by section; "9725"
/// where WHIP and WHEP say the same. Rows of a SHOULD that is kept say so.
/// <para>
/// Not here, since only a player can break it: the offer itself, buffering of candidates, full ICE, redirections, what it sends in
/// <c>If-Match</c>. Shown elsewhere: the answer's sections by <see cref="WhepOfferTests"/> (9725 4.2, 4.4.1); consent that is revoked by
/// <see cref="BrowserStreamTests.Watch_ViewerDeleted_RevokesConsent"/> (9725 4.2) and that expires by the ring webrtc; HTTPS (9725 5) by
/// <see cref="ListenTests"/>. Without an object: 4.6 (no STUN or TURN server is needed: the server's address is the one of the page), 4.8
/// (one encoding), 4.9 and WHEP 4.9 (no extension), 4.3.1's 422 (both trickle ICE and restarts are supported).
/// </para>
/// </summary>
public sealed partial class WhepTableTests(RouteTableServer table) : IClassFixture<RouteTableServer>, IAsyncDisposable
{
    private const string NewIce = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n";
    private const string Candidate = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n";

    private static readonly Dictionary<string, Func<WhepClient, Task>> Table = new()
    {
        ["9725 4.1: GET of endpoint and session is 2xx without content"] = async client =>
        {
            var session = await client.OpenAsync();
            foreach (var address in (string[])[client.Endpoint, session.Url])
            {
                var answer = await client.AskAsync("GET", address);
                Assert.Equal((204, ""), (answer.Status, answer.Text));
            }
        },
        ["9725 4.2: an offer gets 201, application/sdp and the session's Location"] = async client =>
        {
            var answer = await client.PostAsync(WhepClient.Offer);
            Assert.Equal((201, "application/sdp"), (answer.Status, answer.Field("Content-Type")));
            Assert.StartsWith($"{client.Endpoint}/", answer.Field("Location"), StringComparison.Ordinal);
            WhepAnswers.Require(WhepClient.Offer, answer.Text);
        },
        ["9725 4.2: POST of another content type is 4xx"] = async client =>
        {
            foreach (var type in (string?[])["application/json", "text/plain", "application/sdpx", WhepClient.Fragment, "sdp", "", null])
            {
                Assert.Equal(415, (await client.AskAsync("POST", client.Endpoint, WhepClient.Offer, type)).Status);
            }

            Assert.Equal(201, (await client.AskAsync("POST", client.Endpoint, WhepClient.Offer, "Application/SDP ;charset=utf-8")).Status);
        },
        ["9725 4.2: a malformed offer is 4xx"] = async client =>
        {
            string[] malformed =
            [
                "",
                "offer",
                "v=0\r\n",
                WhepClient.Offer.Replace("v=0", "v=1", StringComparison.Ordinal),
                WhepClient.Offer.Replace("m=video 9", "m=video", StringComparison.Ordinal),
                WhepClient.Offer.Replace("a=mid:1", "a=mid:0", StringComparison.Ordinal),
                Without("ice-ufrag"),
                Without("ice-pwd"),
                Without("fingerprint"),
                Without("rtcp-mux"),
                Without("group"),
            ];
            await RefusedAsync(client, malformed);
        },
        ["9725 4.2, WHEP 4.2: an offer that would send or receive nothing is 4xx"] = client =>
            RefusedAsync(
                client,
                [
                    Directed("sendonly"),
                    Directed("inactive"),
                    Without("recvonly").Replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n", StringComparison.Ordinal),
                ]
            ),
        ["WHEP 4.2: the answer is sendonly"] = async client =>
        {
            foreach (var offer in (string[])[Directed("recvonly"), Directed("sendrecv"), Without("recvonly")])
            {
                var (_, media) = SdpSection.Read((await client.OpenAsync(offer)).Answer);
                Assert.Equal("sendonly", media.Single(section => section.Kind == "video").Direction);
            }
        },
        ["WHEP 4.2: where there is nothing to show yet, 409 with Retry-After"] = async _ =>
        {
            await using var server = await StreamingServer.StartAsync();
            server.Agent.Availability = DesktopAvailability.NotReady;
            await LaterAsync(server, 409);
        },
        ["9725 4.2: DELETE ends the session, and its URL is of no use any more"] = async client =>
        {
            var session = await client.OpenAsync();
            Assert.Equal(200, (await client.AskAsync("DELETE", session.Url)).Status);
            Assert.Equal(404, (await client.AskAsync("GET", session.Url)).Status);
            Assert.Equal(404, (await client.AskAsync("DELETE", session.Url)).Status);
            Assert.Equal(404, (await client.PatchAsync(session.Url, NewIce, "*")).Status);
        },
        ["9725 4.2: OPTIONS is answered without sign-in, and says what POST takes"] = async client =>
        {
            var session = await client.OpenAsync();
            (string, string)[] preflight = [("Origin", "https://player.example"), ("Access-Control-Request-Method", "POST")];
            foreach (
                var fields in ((string, string)[][])
                    [
                        [],
                        preflight,
                    ]
            )
            {
                var endpoint = await client.AskAsync("OPTIONS", client.Endpoint, by: client.Stranger, fields: fields);
                Assert.Equal((200, "application/sdp"), (endpoint.Status, endpoint.Field("Accept-Post")));
                Assert.Equal("GET, HEAD, POST, OPTIONS", endpoint.Field("Allow"));
                var one = await client.AskAsync("OPTIONS", session.Url, by: client.Stranger, fields: fields);
                Assert.Equal((200, WhepClient.Fragment), (one.Status, one.Field("Accept-Patch")));
                Assert.Equal("GET, HEAD, PATCH, DELETE, OPTIONS", one.Field("Allow"));

                // No other origin may use the server, and a preflight without these fields says so (decision 0080).
                Assert.DoesNotContain(
                    endpoint.Fields.Concat(one.Fields),
                    field => field.StartsWith("Access-Control-", StringComparison.Ordinal)
                );
            }
        },
        ["9725 4.3.1: PATCH of another content type is 4xx"] = async client =>
        {
            var session = await client.OpenAsync();
            foreach (var type in (string?[])["application/json", WhepClient.Sdp, null])
            {
                var answer = await client.AskAsync("PATCH", session.Url, NewIce, type, fields: [("If-Match", "*")]);
                Assert.Equal(415, answer.Status);
            }
        },
        ["9725 4.3.1: a malformed fragment is 4xx and changes nothing"] = async client =>
        {
            var session = await client.OpenAsync();
            string[] malformed =
            [
                "",
                "fragment",
                "m=video\r\n",
                "a=mid:0\r\n",
                "a=ice-ufrag:ysXw\r\n",
                "a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n",
                NewIce.Replace("ysXw", "y", StringComparison.Ordinal),
                NewIce.Replace("+", " ", StringComparison.Ordinal).Replace("/", "?", StringComparison.Ordinal),
            ];
            foreach (var fragment in malformed)
            {
                var answer = await client.PatchAsync(session.Url, fragment, "*");
                Assert.True((answer.Status, answer.Reason) == (422, "bad-sdp"), $"{answer.Status} {answer.Text}: {fragment}");
            }

            Assert.Equal(204, (await client.PatchAsync(session.Url, Trickle(WhepClient.Offer), session.Tag)).Status);
        },
        ["9725 4.3.1: 201 has a strong ETag that no other ICE session has"] = async client =>
        {
            var first = await client.OpenAsync();
            var second = await client.OpenAsync();
            var restarted = await client.PatchAsync(second.Url, NewIce, "*");
            string[] tags = [first.Tag, second.Tag, restarted.Field("ETag")!];
            Assert.All(tags, tag => Assert.Matches("^\"[^\"]+\"$", tag));
            Assert.Distinct(tags);
        },
        ["9725 4.3.1: DELETE ignores entity tags"] = async client =>
        {
            foreach (var name in (string[])["If-Match", "If-None-Match"])
            {
                var session = await client.OpenAsync();
                Assert.Equal(200, (await client.AskAsync("DELETE", session.Url, fields: [(name, "\"another\"")])).Status);
            }
        },
        ["9725 4.3.1: a missing entity tag is 428, an outdated one 412"] = async client =>
        {
            var session = await client.OpenAsync();
            Assert.Equal(428, (await client.PatchAsync(session.Url, NewIce, null)).Status);
            Assert.Equal(200, (await client.PatchAsync(session.Url, NewIce, session.Tag)).Status);
            foreach (var tag in (string[])[session.Tag, $"W/{session.Tag}", "another", "\"\""])
            {
                Assert.Equal(412, (await client.PatchAsync(session.Url, NewIce, tag)).Status);
            }
        },
        ["9725 4.3.1: of restarts that overlap, each for the same ICE session, one is done"] = async client =>
        {
            const int Rounds = 100;
            const int Many = 8;
            for (var round = 0; round < Rounds; round++)
            {
                var session = await client.OpenAsync();
                var answers = await Task.WhenAll(
                    Enumerable
                        .Range(0, Many)
                        .Select(i =>
                            client.PatchAsync(session.Url, NewIce.Replace("ysXw", $"ysX{i}", StringComparison.Ordinal), session.Tag)
                        )
                );
                Assert.Equal([200, .. Enumerable.Repeat(412, Many - 1)], answers.Select(answer => answer.Status).Order());
            }
        },
        ["9725 4.3.2: the answer has all candidates, and says so"] = async client =>
        {
            var (head, media) = SdpSection.Read((await client.OpenAsync()).Answer);
            var tagged = media.Single(section => section.Mid == head.Bundle[0]);
            Assert.Equal(["udp", "tcp"], tagged.All("candidate").Select(line => line.Split(' ')[2]));
            Assert.True(tagged.Has("end-of-candidates"));
        },
        ["9725 4.3.2: candidates alone are 204 without content and ETag"] = async client =>
        {
            var session = await client.OpenAsync();
            foreach (var fragment in (string[])[Trickle(WhepClient.Offer), Trickle(WhepClient.Offer) + "a=end-of-candidates\r\n"])
            {
                var answer = await client.PatchAsync(session.Url, fragment, session.Tag);
                Assert.Equal((204, "", null), (answer.Status, answer.Text, answer.Field("ETag")));
            }
        },
        ["9725 4.3.2: a candidate that is of no use is discarded silently"] = async client =>
        {
            var session = await client.OpenAsync();
            string[] candidates =
            [
                "1 1 sctp 1 192.0.2.1 9 typ host",
                "1 1 udp 1 0d6a1d5c-8e0c-4b5a-9d0e-2f4f6f0f0f0f.local 9 typ host",
                "1 1 udp 1 no.such.name.invalid 9 typ host",
                "1 1 udp 1 192.0.2.1 9 typ prflx raddr 0.0.0.0 rport 0 generation 0",
                "2 2 udp 1 192.0.2.1 9 typ host",
            ];
            var lines = string.Concat(candidates.Select(candidate => $"a=candidate:{candidate}\r\n"));
            Assert.Equal(204, (await client.PatchAsync(session.Url, Trickle(WhepClient.Offer) + lines, session.Tag)).Status);
        },
        ["9725 4.3.3: a restart is 200 with new credentials, candidates and ETag"] = async client =>
        {
            var session = await client.OpenAsync();
            var answer = await client.PatchAsync(session.Url, NewIce + Candidate, "*");
            Assert.Equal((200, WhepClient.Fragment), (answer.Status, answer.Field("Content-Type")));
            Assert.NotEqual(session.Tag, answer.Field("ETag"));
            foreach (var name in (string[])["ice-ufrag", "ice-pwd"])
            {
                Assert.NotEqual(Values(session.Answer, name)[0], Assert.Single(Values(answer.Text, name)));
            }

            Assert.Equal(Values(session.Answer, "candidate"), Values(answer.Text, "candidate"));
        },
        ["9725 4.3.3: a restart has the ice-options and the ice-lite of the answer"] = async client =>
        {
            var session = await client.OpenAsync();
            var restarted = await client.PatchAsync(session.Url, NewIce, "*");
            Assert.Equal(["trickle ice2"], Values(session.Answer, "ice-options"));
            foreach (var name in (string[])["ice-options", "ice-pacing"])
            {
                Assert.Equal(Values(session.Answer, name), Values(restarted.Text, name));
            }

            Assert.Contains("a=ice-lite\r\n", session.Answer, StringComparison.Ordinal);
            Assert.Contains("a=ice-lite\r\n", restarted.Text, StringComparison.Ordinal);
        },
        ["9725 4.3.3: a restart's fragment names the tagged section"] = async client =>
        {
            foreach (
                var (name, kind) in new[] { ("max-bundle-audio", "audio"), ("max-bundle-data", "application"), ("balanced-video", "video") }
            )
            {
                var session = await client.OpenAsync(WhepClient.Recorded($"chromium-{name}"));
                var (_, media) = SdpSection.Read((await client.PatchAsync(session.Url, NewIce, "*")).Text);
                var (head, answered) = SdpSection.Read(session.Answer);
                var tagged = answered.Single(section => section.Mid == head.Bundle[0]);
                Assert.Equal(kind, tagged.Kind);
                Assert.Equal((kind, tagged.Protocol, tagged.Mid), media.Select(m => (m.Kind, m.Protocol, m.Mid)).Single());
            }
        },
        ["9725 4.3.3: a restart that cannot be done is refused and leaves the ICE session as it is"] = async client =>
        {
            var session = await client.OpenAsync();
            Assert.Equal(422, (await client.PatchAsync(session.Url, "a=ice-ufrag:abcd\r\na=ice-pwd:short\r\n", "*")).Status);
            Assert.Equal(204, (await client.PatchAsync(session.Url, Trickle(WhepClient.Offer), session.Tag)).Status);
        },
        ["9725 4.4.2: one stream of one video; two are 422"] = async client =>
        {
            var (_, media) = SdpSection.Read((await client.OpenAsync()).Answer);
            Assert.Single(media.SelectMany(section => section.All("msid")));
            var video = WhepClient.Offer[
                WhepClient.Offer.IndexOf("m=video", StringComparison.Ordinal)..WhepClient.Offer.IndexOf("m=audio", StringComparison.Ordinal)
            ];
            var second = video.Replace("a=mid:0", "a=mid:9", StringComparison.Ordinal);
            await RefusedAsync(
                client,
                [WhepClient.Offer.Replace("a=group:BUNDLE 0", "a=group:BUNDLE 0 9", StringComparison.Ordinal) + second]
            );
        },
        ["9725 4.4.4 (SHOULD): setup actpass and active are answered passive, passive is 4xx"] = async client =>
        {
            foreach (var setup in (string[])["actpass", "active"])
            {
                Assert.All(Values((await client.OpenAsync(Setup(setup))).Answer, "setup"), answered => Assert.Equal("passive", answered));
            }

            await RefusedAsync(client, [Setup("passive"), Setup("holdconn"), Without("setup")]);
        },
        ["9725 4.5: nothing is redirected"] = async client =>
        {
            foreach (var method in (string[])["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"])
            {
                foreach (
                    var address in (string[])[client.Endpoint, $"{client.Endpoint}/", $"{client.Endpoint}//", $"{client.Endpoint}/none"]
                )
                {
                    foreach (var by in (HttpClient?[])[null, client.Stranger])
                    {
                        var answer = await client.AskAsync(method, address, by: by);
                        Assert.False(answer.Status is >= 300 and < 400, $"{method} {address}: {answer.Status}");
                    }
                }
            }
        },
        ["9725 4.5 (MAY): 503 says when to ask again"] = async _ =>
        {
            await using var server = await StreamingServer.StartAsync(options => options with { MaxViewersPerDesktop = 1 });
            using var viewer = await SocketPage.ConnectAsync(server);
            await LaterAsync(server, 503);
        },
        ["9725 4.7: each method but OPTIONS needs the bearer token"] = async client =>
        {
            var session = await client.OpenAsync();
            foreach (var address in (string[])[client.Endpoint, session.Url])
            {
                foreach (var method in (string[])["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT"])
                {
                    foreach (
                        var fields in ((string, string)[][])
                            [
                                [],
                                [("Authorization", "Bearer wrong")],
                                [("Authorization", "Basic YTpi")],
                            ]
                    )
                    {
                        var answer = await client.AskAsync(method, address, by: client.Stranger, fields: fields);
                        Assert.Equal((401, "Bearer"), (answer.Status, answer.Field("WWW-Authenticate")));
                    }
                }
            }

            foreach (var scheme in (string[])["Bearer", "bearer"])
            {
                var known = ("Authorization", $"{scheme} {client.Token}");
                Assert.Equal(204, (await client.AskAsync("GET", session.Url, by: client.Stranger, fields: known)).Status);
            }
        },
        ["9725 4.6, 4.9: no Link names a server or an extension that is not there"] = async client =>
            Assert.Null((await client.PostAsync(WhepClient.Offer)).Field("Link")),
        ["9725 5 (SHOULD): session URLs are random"] = async client =>
        {
            var names = new HashSet<string>();
            for (var i = 0; i < 20; i++)
            {
                names.Add((await client.OpenAsync()).Url.Split('/')[^1]);
            }

            // No two begin or end alike, as counted ones do; 64 bits are 16 hexadecimal digits.
            Assert.All(names, name => Assert.Matches("^[0-9a-f]{16,}$", name));
            Assert.Equal(20, names.Select(name => name[..8]).Distinct().Count());
            Assert.Equal(20, names.Select(name => name[^8..]).Distinct().Count());
        },
        ["9429 5.3.1: what the offer has not is not in the answer"] = async client =>
        {
            var (_, media) = SdpSection.Read((await client.OpenAsync(Without("rtcp-rsize"))).Answer);
            Assert.DoesNotContain(media, section => section.Has("rtcp-rsize"));
            (_, media) = SdpSection.Read((await client.OpenAsync(Without("extmap"))).Answer);
            Assert.Empty(media.SelectMany(section => section.All("extmap")));
            (_, media) = SdpSection.Read((await client.OpenAsync(Without("rtcp-fb"))).Answer);
            Assert.Empty(media.SelectMany(section => section.All("rtcp-fb")));
            var alone = WhepClient.Recorded("webrtcbin-none-video");
            alone = MidLine().Replace(alone[..alone.IndexOf("m=audio", StringComparison.Ordinal)], "");
            (_, media) = SdpSection.Read((await client.OpenAsync(alone)).Answer);
            Assert.Equal("", Assert.Single(media).Mid);
        },
        ["9429 5.3.1: a section of a kind that is unknown is refused in its place"] = async client =>
        {
            var foreign = WhepClient.Offer.Replace("m=audio", "m=haptics", StringComparison.Ordinal);
            var (head, media) = SdpSection.Read((await client.OpenAsync(foreign)).Answer);
            Assert.Equal([("video", 9), ("haptics", 0), ("application", 9)], media.Select(section => (section.Kind, section.Port)));
            Assert.Equal(["0", "2"], head.Bundle);
        },
    };

    private readonly WhepClient _client = new(table);

    public static TheoryData<string> Rows => new(Table.Keys);

    public async ValueTask DisposeAsync() => await table.RequireUnharmedAsync();

    [Theory]
    [MemberData(nameof(Rows))]
    public Task Row_OfTheTable_IsKept(string row) => Table[row](_client);

    /// <summary>Each is refused as malformed or as what cannot be had, by 422 and its reason.</summary>
    private static async Task RefusedAsync(WhepClient client, string[] offers)
    {
        foreach (var (index, offer) in offers.Index())
        {
            Assert.NotEqual(WhepClient.Offer, offer);
            var answer = await client.PostAsync(offer);
            Assert.True((answer.Status, answer.Reason) == (422, "bad-sdp"), $"{index}: {answer.Status} {answer.Text}");
        }
    }

    private static async Task LaterAsync(StreamingServer server, int status)
    {
        using var offer = new StringContent(WhepClient.Offer, System.Text.Encoding.UTF8, WhepClient.Sdp);
        using var refused = await server.Http.PostAsync($"{server.DesktopPath}/whep", offer, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
    }

    private static string Without(string attribute) =>
        Regex.Replace(WhepClient.Offer, $"^a={attribute}(:.*)?\r\n", "", RegexOptions.Multiline);

    private static string Directed(string direction) => WhepClient.Offer.Replace("a=recvonly", $"a={direction}", StringComparison.Ordinal);

    private static string Setup(string setup) => WhepClient.Offer.Replace("a=setup:actpass", $"a=setup:{setup}", StringComparison.Ordinal);

    /// <summary>A fragment with the offer's own credentials and a candidate.</summary>
    private static string Trickle(string offer) =>
        $"a=ice-ufrag:{Values(offer, "ice-ufrag")[0]}\r\na=ice-pwd:{Values(offer, "ice-pwd")[0]}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
        + Candidate;

    private static List<string> Values(string text, string attribute)
    {
        var (head, media) = SdpSection.Read(text);
        return [.. head.All(attribute), .. media.SelectMany(section => section.All(attribute))];
    }

    [GeneratedRegex("^a=mid:.*\r\n", RegexOptions.Multiline)]
    private static partial Regex MidLine();
}
