using System.Security.Cryptography;
using Oriel.Server.Composition;
using Oriel.Server.Configuration;
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
        Func<ServerApplication, Task<T>> task,
        CancellationToken cancellationToken,
        Func<ServerParts, ServerParts>? change = null
    )
    {
        var place = Path.Combine(dataDirectory, $".{name}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}");
        Directory.CreateDirectory(place, PrivateFile.OwnerOnlyDirectory);
        try
        {
            var parts = new ServerParts { Clock = clock, Logging = logging => logging.SetMinimumLevel(LogLevel.None) };
            await using var server = await ServerApplication.StartAsync(
                prepare(place) with
                {
                    Port = 0,
                    MediaPort = 0,
                },
                change?.Invoke(parts) ?? parts,
                cancellationToken
            );
            return await task(server);
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }
    }
}
