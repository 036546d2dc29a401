using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using Oriel.Desktops.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Auth;
using Oriel.Server.Instance;

namespace Oriel.Server.Commands;

/// <summary>Replaces the API token of a data directory: by the server that runs on it, which ends what it holds open, else here.</summary>
internal static class TokenRotation
{
    private static readonly TimeSpan Connecting = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Answering = TimeSpan.FromSeconds(30);

    /// <returns>The new token, or why there is none.</returns>
    /// <exception cref="IOException">The file or the database cannot be written.</exception>
    public static async Task<(string? Token, string? Problem)> RunAsync(
        DataLayout layout,
        string token,
        CancellationToken cancellationToken
    )
    {
        Directory.CreateDirectory(layout.Run, PrivateFile.OwnerOnlyDirectory);
        using (var held = ServerLock.TryTake(layout))
        {
            // With its lock in our hand no server begins meanwhile, which would go on with the old token.
            if (held is not null)
            {
                var database = new DesktopDbContextFactory(layout.Database);
                await database.MigrateAsync(cancellationToken);
                var tokens = new TokenService(database, layout, TimeProvider.System);
                return (await tokens.RotateAsync(CancellationToken.None, cancellationToken), null);
            }
        }

        return ServerInstance.Read(layout) is { } server
            ? await AskAsync(server, token, cancellationToken)
            : (null, $"a server on {layout} is just starting or ending: try again.");
    }

    private static async Task<(string? Token, string? Problem)> AskAsync(
        ServerInstance server,
        string token,
        CancellationToken cancellationToken
    )
    {
        using var client = new HttpClient(HandlerFor(server)) { Timeout = Answering };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);

        // The name in its address may be one that only others reach it by.
        Uri[] addresses = [new(server.Url), new UriBuilder(server.Url) { Host = "localhost" }.Uri];
        var problem = "";
        foreach (var address in addresses.Distinct())
        {
            try
            {
                using var response = await client.PostAsync(new Uri(address, "/api/token/rotate"), null, cancellationToken);
                if (response.StatusCode == HttpStatusCode.Unauthorized)
                {
                    return (
                        null,
                        "the server does not take this token. If another rotation was first, ./oriel token prints the new one; if the file was changed, restart the server."
                    );
                }

                if (response.IsSuccessStatusCode)
                {
                    var body = await response.Content.ReadFromJsonAsync(AuthJsonContext.Default.ReplacedTokenResponse, cancellationToken);
                    return (body!.Token, null);
                }

                problem = $"it answered {(int)response.StatusCode}";
            }
            catch (Exception e)
                when (e is HttpRequestException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
            {
                problem = e.Message;
            }
        }

        return (null, $"the server at {server.Url} (process {server.Pid}) did not replace its token: {problem}");
    }

    /// <summary>Straight to the server, by no proxy; over HTTPS only to the one with this certificate.</summary>
    private static SocketsHttpHandler HandlerFor(ServerInstance server) =>
        new()
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            ConnectTimeout = Connecting,
            SslOptions =
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                    certificate is X509Certificate2 shown && ServerCertificate.Fingerprint(shown) == server.CertificateFingerprint,
            },
        };
}
