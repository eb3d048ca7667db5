# The function's processor, x86_64 or arm64. All commands of sam must get the same.
ARCHITECTURE = x86_64
EVENT = events/put-image.json
sam = --parameter-overrides Architecture=$(ARCHITECTURE)

.PHONY: run test check bench build invoke start-api deploy
run: ; cargo run --bin local
test: ; cargo test
check: ; .ci/run
bench: ; cargo bench --bench decode && cargo run --profile bench --example compare
build: ; sam build $(sam)
invoke: ; sam local invoke $(sam) -e $(EVENT)
start-api: ; sam local start-api $(sam)
deploy: build ; sam deploy $(sam) Commit=$$(git rev-parse --short=12 HEAD)
