using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>What Oriel is for: a person signs in somewhere with their own hands, inside the desktop.</summary>
public sealed class SignInTests(Ring ring) : RingTests(ring)
{
    /// <summary>
    /// A native app of the guest (RFC 8252): listens on loopback, opens the browser, trades the code for a token by curl.
    /// </summary>
    private const string NativeApp = """
        use strict; use IO::Socket::INET;
        my ($issuer) = @ARGV;
        my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5) or die "listen: $!";
        my $redirect = 'http://127.0.0.1:' . $listener->sockport . '/callback';
        my $verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'; my $challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
        my $url = "$issuer/authorize?response_type=code&client_id=native-app&scope=openid&state=s1&code_challenge=$challenge&code_challenge_method=S256&redirect_uri=$redirect";
        system("setsid /usr/bin/chromium '$url' >/dev/null 2>&1 &");
        while (my $client = $listener->accept) {
          my $line = <$client>;
          print $client "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nSigned in"; close $client;
          next unless $line =~ /[?&]code=([^& ]+)/;
          exec 'curl', '-sS', "$issuer/token", '-d', 'grant_type=authorization_code', '-d', 'client_id=native-app', '-d', "code=$1", '-d', "code_verifier=$verifier", '-d', "redirect_uri=$redirect";
        }
        """;

    [Fact]
    public async Task AuthorizationCode_LoopbackRedirectInTheGuest_GivesAToken()
    {
        SkipUnlessPrepared();
        var id = await Ring.SharedDesktopAsync();
        using var put = await Server.Api.PutAsync($"/api/desktops/{id}/files?path=/home/user/app.pl", new StringContent(NativeApp));
        Assert.True(put.IsSuccessStatusCode, await put.Content.ReadAsStringAsync());
        var page = await Ring.OpenViewerAsync(id);
        var app = Server.Api.PostAsJsonAsync(
            $"/api/desktops/{id}/exec",
            new
            {
                command = "/usr/bin/perl",
                args = new[] { "/home/user/app.pl", $"https://{IdentityProvider.Host}:{Ring.Site.Port}" },
                timeout = 90,
            }
        );

        await Eyes.SeesAsync(page, IdentityProvider.Button, 0.1, "the provider's sign-in button");
        await Pointing.ClickGuestAsync(page, Pointing.Browser);
        using var response = await app;
        var result = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.True(result["exitCode"]!.GetValue<int>() == 0, result.ToJsonString());
        Assert.Contains("access_token", result["stdout"]!.GetValue<string>());
    }
}
