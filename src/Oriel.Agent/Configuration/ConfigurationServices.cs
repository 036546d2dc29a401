namespace Oriel.Agent.Configuration;

internal static class ConfigurationServices
{
    public static IServiceCollection AddConfiguration(this IServiceCollection services) =>
        services
            .AddSingleton<SystemIdentity>()
            .AddSingleton<TrustStore>()
            .AddSingleton<ScreenSetup>()
            .AddSingleton<GuestRenewal>()
            .AddSingleton<GuestConfigurator>();
}
