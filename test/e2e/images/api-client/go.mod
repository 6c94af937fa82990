module coracle.dev/test/api-client

go 1.22
