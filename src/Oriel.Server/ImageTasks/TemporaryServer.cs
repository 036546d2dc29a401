using System.Security.Cryptography;
using Oriel.Server.Configuration;
using Oriel.Server.Host;
using Oriel.Server.Instance;

namespace Oriel.Server.ImageTasks;

/// <summary>A server for one task: in a directory of its own, on any free ports, without a log; nothing of it is left afterwards.</summary>
internal static class TemporaryServer
{
    /// <param name="dataDirectory">The task's directory is made in it.</param>
    /// <param name="name">Of the task, for its directory.</param>
    /// <param name="prepare">Fills that directory, and says how the server starts in it.</param>
    /// <param name="change">Makes the server of other parts than usual.</param>
    public static async Task<T> RunAsync<T>(
        string dataDirectory,
        string name,
        TimeProvider clock,
        Func<string, ServeOptions> prepare,
        Func<OrielHost, Task<T>> task,
        CancellationToken cancellationToken,
        Func<HostParts, HostParts>? change = null
    )
    {
        var place = Path.Combine(dataDirectory, $".{name}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}");
        Directory.CreateDirectory(place, PrivateFile.OwnerOnlyDirectory);
        try
        {
            var parts = new HostParts { Clock = clock, Logging = logging => logging.SetMinimumLevel(LogLevel.None) };
            await using var host = await OrielHost.StartAsync(
                prepare(place) with
                {
                    Port = 0,
                    MediaPort = 0,
                },
                change?.Invoke(parts) ?? parts,
                cancellationToken
            );
            return await task(host);
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }
    }
}
