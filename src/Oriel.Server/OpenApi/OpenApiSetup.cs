using System.Text.Json.Serialization;
using Microsoft.OpenApi;
using Scalar.AspNetCore;

namespace Oriel.Server.OpenApi;

/// <summary>The OpenAPI 3.1 document, and a page to try it.</summary>
internal static class OpenApiSetup
{
    public const string DocumentPath = "/openapi/v1.json";

    public static void AddOrielOpenApi(this IServiceCollection services)
    {
        // The document is made from these: a number is no text to any body that is read here.
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict);
        services.AddOpenApi(
            "v1",
            options =>
            {
                options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
                options.AddDocumentTransformer(
                    (document, _, _) =>
                    {
                        document.Info = new OpenApiInfo
                        {
                            Title = "Oriel",
                            Version = "v1",
                            Description = "Disposable Linux desktops. Errors are application/problem+json with a reason code.",
                        };

                        // The address depends on where a server runs; the document is the same everywhere.
                        document.Servers = [];
                        document.Components ??= new OpenApiComponents();
                        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
                        {
                            ["token"] = new OpenApiSecurityScheme
                            {
                                Type = SecuritySchemeType.Http,
                                Scheme = "bearer",
                                Description = "The output of: ./oriel token",
                            },
                        };
                        document.Security =
                        [
                            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("token", document)] = [] },
                        ];
                        return Task.CompletedTask;
                    }
                );
            }
        );
    }

    public static void MapOrielOpenApi(this IEndpointRouteBuilder app)
    {
        app.MapOpenApi(DocumentPath);
        app.MapScalarApiReference(
            "/api/docs",
            options => options.WithTitle("Oriel").WithOpenApiRoutePattern(DocumentPath).DisableDefaultFonts()
        );
    }
}
