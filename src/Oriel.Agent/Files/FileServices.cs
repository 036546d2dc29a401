namespace Oriel.Agent.Files;

internal static class FileServices
{
    public static IServiceCollection AddFiles(this IServiceCollection services) =>
        services.AddSingleton<FileTransfers>().AddSingleton<DiskWatch>().AddSingleton<FileWatch>();
}
